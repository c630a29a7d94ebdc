"""Who may have what: signed URLs and Common Access Tokens. Pure but for `keyring.load`, which reads key files."""
