"""The DocuSign side: tokens, the Monitor API in both generations, and what each refusal means."""
