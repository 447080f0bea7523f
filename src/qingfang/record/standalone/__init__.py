"""`qingfang_verify.py`: one file for outside experts, which needs nothing but Python. It is handed out,
never imported here."""
