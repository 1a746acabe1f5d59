"""The verbs, by subject: options and words; what a verb does stands in `operate`."""
