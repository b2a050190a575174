"""Alerts: rules that people set, judged by a job every minute, told by a bell, a page, e-mail and signed webhooks.

A room of its own because it only watches: nothing here changes a call, and no call waits for it.
"""
