"""What an environment is and how it is identified; touches neither disk nor database."""
