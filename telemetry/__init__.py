"""What a process tells of itself: counts (`exposition`), log lines (`logs`) and traces (`tracing`).

Nothing that leaves through here names a device, a customer or a secret: `identifiers` takes that out.
"""
