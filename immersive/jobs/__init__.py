"""Durable jobs: what was asked for survives any crash and is made once, by a process with limits of its own.

The table is the truth. A worker holds a lease that it renews; whoever finds one that ran out takes the job
again, and the stages that were kept are not done twice.
"""
