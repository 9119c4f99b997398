"""Long work as rows: steps, journal, progress, cancel, resume.

The row is the job. A message on the queue carries only the row's id, may be lost, and may come twice.
"""
