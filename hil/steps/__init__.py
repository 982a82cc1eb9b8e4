"""The steps of a session, each a function of an open session; every one can be interrupted and run again."""
