"""Reports: what a result says, once as values, shown on a page, in a document of its own, and on paper."""
