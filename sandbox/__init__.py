"""The sandbox runs DocuSign, Azure and a workspace on one machine, under their real host names.

It is for the demo, the tests and the authors of content. It is never deployed.
"""
