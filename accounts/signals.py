"""What happened to people, for rooms above this one: `audit` writes it down, `console` closes what is open."""

from django.dispatch import Signal

# Sent inside the action's transaction with: actor (User; None: the panel itself), verb (str), target (Model),
# details (dict).
acted = Signal()

# Sent with: user (User), keep (the key of the one session that lives on, or ""). Their other logins are over.
logins_ended = Signal()

# Sent with: user (User). Their role, or their place in a team, is another than before.
rights_changed = Signal()
