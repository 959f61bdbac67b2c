"""The peers' programs, each a process: `PROGRAM KAFKA APP DIRECTORY` works until it is killed.

`APP` is the consumer group, and begins every transactional id. A program shares with the others the rule alone
(`rule.py`), so that what is compared is the machinery around it.
"""
