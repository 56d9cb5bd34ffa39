"""What the end-to-end tests stand on: PostgreSQL, Tandem, phones, tones and a hand-driven SIP endpoint.

Python's standard library only. Nothing here knows a scenario, and nothing here imports Tandem: the programs are
started as a user would start them and seen through their sockets, files and the database.
"""
