"""Dead letters, seen from the operator's side: what a blob holds, and what is still refused of a page."""
