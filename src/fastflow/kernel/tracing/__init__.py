"""A trace for each run, sent to an OpenTelemetry collector after the run's end; what is not sent yet is in the database."""
