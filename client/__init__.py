"""The trainer's client: asks before each stretch, obeys holds, acknowledges. No Airflow in it.

It needs the standard library and signature verification only, reads what the notary published,
and believes nothing that is not signed by the keys it was given. Start at
docs/trainer-client.md; `TrainingLoop` is in `client.loop`, `python -m client` asks by hand.
"""
