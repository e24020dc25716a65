"""Live limits: values of policies that operators change while the gateway runs.

A live document overrides the settings, which override the code. `LiveLimits` changes documents in
the database, and `LiveReplica` puts them in force in every process.
"""
