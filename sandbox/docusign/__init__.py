"""DocuSign on one machine: OAuth, both Monitor APIs, the Admin API and eSignature's user list."""
