"""Who is who: which live resource is a declared one, and by what evidence. Pure; `observe.py` calls it kind by kind.

The first evidence that finds exactly one resource decides; two of one rank decide nothing. What AWS keeps unique comes
before tags, because the call that corrects it names it so: what is compared is what is written. A Name tag and the
subnets that use a table are weak, and must agree. An address that is not found is created only if nothing live could be
it. Whatever a person must settle is a problem of its address alone; its message has the line to write.

A kind says in `Kind.identify` what its evidence is. Start with `identify.py`; `live.py` is what it asks about the live
resources, `displaced.py` when tags are not believed, `creation.py` what keeps an address from being created,
`messages.py` the words.
"""

from reconciler.engine.identity.identify import identify
from reconciler.engine.identity.live import Identified, Live, Match

__all__ = ["Identified", "Live", "Match", "identify"]
