"""What is known of a certificate: issue, status, credential, document and public register."""
