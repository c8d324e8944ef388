"""What a workload token is, how it is verified and how it is obtained; used at every door.

May import contracts only. The stand-in issuer lives in ``twin.entra`` and is no part of this.
"""
