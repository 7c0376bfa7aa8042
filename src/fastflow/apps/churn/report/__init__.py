"""What an experiment found, as a report: on its page, as a document, on paper."""
