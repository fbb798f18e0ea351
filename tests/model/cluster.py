#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Explicit-state model of one login on several hosts (src/cluster/cluster.h): every interleaving, every kill.

Who moves: two hosts, each a keeper with its courier and its ledger; etcd, with one account's record, the lock, the intents
and their holds; the server, which rotates and takes a spent token for theft. Leases run out whenever they may: the lock's at
any time (a pause may be as long as you like), a hold's only while nobody is between his intent and his commit, also when
he is killed there or cannot reach etcd with an answer in his receipt. That is what its length is for; with `--without "the
hold outlives its owner"` it may run out at any time. A token is due, and late, whenever a run begins.

What happens on one host alone (its locks, its stores, OpenClaw, logins) is protocol.py's; here a host is its live
generation, its receipt and the generation that it last had in common with the cluster (`synced`). A run walks through the
STAGES, which are the code's `enum cluster_stage`; the names are compared every time. A rule is changed here first.

Each disturbance has a budget: a kill (of keeper and courier, or of the keeper alone, whose courier then still writes the
answer into the receipt), a lost request or answer, a failed write to etcd (applied or not, nobody knows), an etcd that is
out of reach from here on until the run ends, one restored from a snapshot that is a generation older, and a ledger restored
from the first backup of all.

R  a spent token is sent, and its successor stands in a ledger, a receipt or the cluster: it could have been known
r  a spent token is sent once more, and its answer was really lost: the last try, on purpose
L  an answer that was received is lost; by a kill between its last byte and the receipt's fsync this cannot be helped
T  a token is sent a third time
S  somebody is stuck: nobody may send, and nobody waits for anything that still can happen
"""
import argparse
import re
import sys
from collections import deque, namedtuple
from pathlib import Path

RULES = {
    'intent before send': 'exchange: nothing is sent without an intent in the cluster',
    'the intent has no lease': 'cluster: an intent stays when its host is gone',
    'the intent names what was read': 'cluster: an intent is written only while lock and record are what was read',
    'the hold outlives its owner': 'cluster: a hold is longer than from intent to commit, outages of its owner included',
    'commit by lineage': 'cluster: a commit compares the record, never the lock',
    'answer before commit': 'exchange: the answer is durable in the receipt before etcd hears of it',
    'the ledger is published': 'decide: a generation that the cluster has not is published by the next run',
    'two sends at most': 'decide: a token whose answer was lost is sent once more, not more',
    'only what never left is cleared': 'cluster: an intent is cleared if the receipt says that nothing left',
    'its receipt alone clears it': 'cluster: … that very receipt: without it, as after a restored ledger, the intent counts as sent',
    'only what is ours is cleared': 'cluster: … by its host alone',
    'older is restored': 'decide: a record behind our own is put right, and its token is in doubt until the last try',
}
STAGES = ('idle', 'locked', 'claimed', 'intended', 'exchanging', 'answered')
OFF = set()
NEVER = False  # retry = "never"
LAST = 3       # generations end here; the first is 1

World = namedtuple('World', 'server cred lock intents wire hosts budget sent')  # sent: how often each token was
Intent = namedtuple('Intent', 'token owner sends own hold')  # own: what its owner's receipt counted before this send
Receipt = namedtuple('Receipt', 'token sends answer')  # claimed: 0 sends; sending: 1 or more; answered: a generation
Host = namedtuple('Host', 'stage live synced receipt courier cut got')  # courier: the token it waits for; got: unsaved
Budget = namedtuple('Budget', 'kill keeper lost failed outage restore backup')


def on(rule):
    return rule not in OFF


def intent_of(w, token):
    return next((i for i in w.intents if i.token == token), None)


def with_intent(w, intent):
    return w._replace(intents=tuple(sorted([i for i in w.intents if i.token != intent.token] + [intent])))


def without_intent(w, token):
    return w._replace(intents=tuple(i for i in w.intents if i.token != token))


def host(w, h, **kw):
    return w._replace(hosts=w.hosts[:h] + (w.hosts[h]._replace(**kw),) + w.hosts[h + 1:])


def pay(w, what):
    return w._replace(budget=w.budget._replace(**{what: getattr(w.budget, what) - 1}))


def unlock(w, h):
    return w._replace(lock=None) if w.lock == h else w


def ends(w, h):
    return host(unlock(w, h), h, stage='idle', cut=False)


def is_pending(w, intent):
    """between its intent and its commit, somewhere: what a hold is made to outlive"""
    x = w.hosts[intent.owner] if intent.owner is not None else None
    return any(m[1] == intent.token for m in w.wire) or x and (x.stage not in ('idle', 'locked') or x.courier or x.got or
                  (x.receipt and x.receipt.token == intent.token and x.receipt.answer) or
                  (x.live > intent.token and w.cred == intent.token))


# ---- one run of a host, step by step (src/keepalive, src/cluster)

def recover(w, h):
    """the next look finds what a killed run left: first the answer, without the network"""
    x = w.hosts[h]
    r = x.receipt
    if r and r.answer:
        w = host(w, h, live=max(x.live, r.answer), receipt=None)
    return w


def drop(w, h):
    """what was claimed and not sent: after its intent, if there is one"""
    r = w.hosts[h].receipt
    intent = r and intent_of(w, r.token)
    return host(w, h, receipt=None) if r and r.sends == 0 and not (intent and intent.owner == h) else w


def sync(w, h):
    """what the record in the cluster means here"""
    x = w.hosts[h]
    if w.cred > x.live:  # adopt
        return host(w, h, live=w.cred, synced=w.cred, receipt=None)
    if w.cred < x.live and on('the ledger is published') and (x.synced == w.cred or on('older is restored')):
        restored = w.cred < x.synced
        w = host(without_intent(w._replace(cred=x.live), w.cred), h, synced=x.live)
        return with_intent(w, Intent(x.live, None, 1, 0, False)) if restored and not intent_of(w, x.live) else w
    if w.cred == x.live:
        w = host(w, h, synced=w.cred)
    mine = intent_of(w, x.live)
    if mine and (mine.owner == h or not on('only what is ours is cleared')) and (
            never_left(w.hosts[h], mine) or not on('only what never left is cleared')):
        w = cleared(w, mine)
    return w


def cleared(w, intent):
    """as it was before: somebody else's send may still be in doubt"""
    if intent.sends == 1:
        return without_intent(w, intent.token)
    return with_intent(w, Intent(intent.token, None, intent.sends - 1, 0, False))


def never_left(x, intent):
    r = x.receipt
    if not r or r.token != intent.token:
        return not on('its receipt alone clears it')
    return r.sends <= intent.own


def sends(x):
    return x.receipt.sends if x.receipt else 0


def may_send(w, h):
    """0: not now; else which attempt it is"""
    x, intent = w.hosts[h], intent_of(w, w.cred)
    if x.live != w.cred or x.courier:
        return 0
    if not intent:
        return 0 if sends(x) and NEVER else 1 + sends(x)
    if NEVER or (intent.sends >= 2 and on('two sends at most')):
        return 0
    drained = intent.owner == h and sends(x) > intent.own and not any(m[0] == h for m in w.wire)
    return intent.sends + 1 if not intent.hold or drained else 0


def steps(w, h):
    x = w.hosts[h]
    if x.got and on('answer before commit'):  # the courier, also without its keeper
        r = Receipt(x.receipt.token, x.receipt.sends, x.got)
        yield f'h{h} keeps the answer', host(w, h, receipt=r, got=0, stage='answered' if x.stage == 'exchanging' else x.stage)
    if x.stage == 'idle':
        if x.courier or x.got:
            return
        v = recover(w, h)
        if w.budget.outage and v.hosts[h].live > v.cred:
            yield f'h{h} runs, and cannot reach etcd', pay(v, 'outage')
        v = drop(sync(v, h), h)
        if v != w:
            yield f'h{h} runs: adopts, publishes, clears', v
        elif w.lock is None and w.cred < LAST and may_send(w, h):
            yield f'h{h} locks', host(w, h, stage='locked')._replace(lock=h)
    elif x.stage == 'locked':
        again = x.receipt and x.receipt.token == x.live
        if not may_send(w, h) or x.live != w.cred:
            yield f'h{h} finds it changed', ends(w, h)
        else:
            yield f'h{h} claims', host(w, h, stage='claimed', receipt=x.receipt if again else Receipt(x.live, 0, 0))
    elif x.stage == 'claimed':
        guarded = on('the intent names what was read')
        attempt = may_send(w, h) if guarded else not intent_of(w, x.live)
        fits = w.cred == x.live and w.lock == h or not guarded
        done = with_intent(w, Intent(x.live, h, max(attempt, 1), sends(x), True))
        if not on('intent before send'):
            yield f'h{h} goes on', host(w, h, stage='intended')
        elif fits and attempt:
            yield f'h{h} intends', host(done, h, stage='intended')
            if w.budget.failed:
                yield f'h{h} intends, and is not told; reads it back', pay(host(done, h, stage='intended'), 'failed')
                yield f'h{h} intends, is not told, cannot read it back', ends(pay(done, 'failed'), h)
        else:
            yield f'h{h} is refused', ends(host(w, h, receipt=x.receipt if x.receipt.sends else None), h)
    elif x.stage == 'intended':
        r, mine = x.receipt._replace(sends=x.receipt.sends + 1), intent_of(w, x.live)
        yield f'h{h} sends {r.token}', host(w, h, stage='exchanging', receipt=r, courier=r.token)._replace(
            wire=w.wire | {(h, r.token, r.sends)}, sent=w.sent[:r.token - 1] + (w.sent[r.token - 1] + 1,) + w.sent[r.token:])
        if x.receipt.sends == 0:
            yield f'h{h} cannot connect', ends(host(cleared(w, mine) if mine else w, h, receipt=None), h)
    elif x.stage == 'exchanging':
        if not x.courier and not x.got:
            yield f'h{h} has no answer', ends(w, h)
        if x.got and not on('answer before commit'):
            yield from commit(w, h, x.got)
    elif x.stage == 'answered':
        yield from commit(w, h, x.receipt.answer)


def commit(w, h, new):
    """the ledger, then the cluster: by the record's revision"""
    x = w.hosts[h]
    old = x.receipt.token
    kept = host(w, h, live=max(x.live, new), receipt=None, got=0) if on('answer before commit') else \
        host(w, h, receipt=None, got=0)
    fits = w.cred == old and (on('commit by lineage') or w.lock == h)
    done = host(without_intent(kept._replace(cred=new), old), h, synced=new, live=max(x.live, new))
    yield f'h{h} commits {new}', ends(done, h) if fits else ends(
        kept if on('commit by lineage') else host(kept, h, live=x.live), h)
    if w.budget.failed and fits:
        yield f'h{h} commits {new}, and is not told', ends(pay(done._replace(hosts=kept.hosts), 'failed'), h)
    if w.budget.outage:
        yield f'h{h} cannot commit {new}: etcd is out of reach', ends(pay(kept, 'outage'), h)


# ---- everybody else

def moves(w):
    for h in (0, 1):
        yield from steps(w, h)
        yield from disturb(w, h)
    if w.lock is not None:
        dropped = w if on('the intent has no lease') else w._replace(
            intents=tuple(i for i in w.intents if i.owner != w.lock))
        yield 'the lock runs out', dropped._replace(lock=None)
    for i in w.intents:
        if i.hold and not (on('the hold outlives its owner') and is_pending(w, i)):
            yield f'the hold on {i.token} runs out', with_intent(w, i._replace(hold=False))
    for m in w.wire:
        yield from arrive(w, m)
    if w.budget.restore and w.cred > 1 and not w.intents:
        yield 'etcd is restored', pay(w._replace(cred=w.cred - 1, lock=None), 'restore')


def disturb(w, h):
    x = w.hosts[h]
    if w.budget.kill and (x.stage != 'idle' or x.courier or x.got):
        yield f'h{h} is killed', pay(host(w, h, stage='idle', courier=0, got=0, cut=False), 'kill')
    if w.budget.keeper and x.stage != 'idle':
        yield f'h{h}: its keeper is killed', pay(host(w, h, stage='idle', cut=False), 'keeper')
    if w.budget.backup and x.stage == 'idle' and not x.courier and not x.got:
        yield f'h{h}: its ledger is restored', pay(host(w, h, live=1, synced=1, receipt=None), 'backup')


def arrive(w, m):
    h, token, _ = m
    x, rest = w.hosts[h], w._replace(wire=w.wire - {m})
    waits = x.courier == token
    if w.budget.lost:
        yield f'the request of h{h} is lost', pay(host(rest, h, courier=0) if waits else rest, 'lost')
    if token != w.server:
        yield f'SPENT {token} by h{h}', host(rest, h, courier=0) if waits else rest
        return
    v = rest._replace(server=token + 1)
    yield f'server: {token} -> {token + 1}', host(v, h, courier=0, got=token + 1) if waits else v
    if w.budget.lost and waits:
        yield f'server: {token} -> {token + 1}, the answer is lost', pay(host(v, h, courier=0), 'lost')


def known(w, token):
    return w.cred > token or any(x.live > token or (x.receipt and x.receipt.answer > token) for x in w.hosts)


def explore(budget, allowed=None):
    """all of it; or, with `allowed`, until something else is found: without a rule there may be no end to it"""
    start = World(1, 1, None, (), frozenset(), (Host('idle', 1, 1, None, 0, False, 0),) * 2, Budget(**budget), (0,) * LAST)
    seen, queue, bad = {start: None}, deque([start]), {}
    while queue and (allowed is None or set(bad) <= set(allowed + 'l')):
        w = queue.popleft()
        n = 0
        for label, v in moves(w):
            n += 1
            if label.startswith('SPENT'):
                token = int(label.split()[1])
                bad.setdefault('R' if known(w, token) else 'r', (w, label))
            if v not in seen:
                seen[v] = (w, label)
                queue.append(v)
        if any(i.sends > 2 for i in w.intents) or max(w.sent) > 2:
            bad.setdefault('T', (w, 'sent a third time'))
        quiet = not w.wire and all(x.stage == 'idle' and not x.courier and not x.got for x in w.hosts)
        if quiet and n == 0 and w.server > max(w.cred, *(x.live for x in w.hosts)):
            bad.setdefault('l', (w, 'nobody has the live token'))  # lost on the way, or L
        if quiet and n == 0 and (w.server == w.cred < LAST or w.cred < max(x.live for x in w.hosts)):
            bad.setdefault('S', (w, 'nobody may send'))
        if any(x.got and not any(y.got == x.got or y.live >= x.got or (y.receipt and y.receipt.answer == x.got)
                                 for y in v.hosts) and v.cred < x.got
               for _, v in moves(w) for x in w.hosts):
            bad.setdefault('L', (w, 'what was received is gone'))
    return seen, bad


def trace(seen, w, label):
    steps_ = [label]
    while seen[w]:
        w, step = seen[w]
        steps_.append(step)
    return steps_[::-1]


ZERO = dict(kill=0, keeper=0, lost=0, failed=0, outage=0, restore=0, backup=0)
SCENARIOS = {
    'pauses': (ZERO, ''),
    'a kill': (ZERO | dict(kill=1), 'rL'),
    'two keepers killed': (ZERO | dict(keeper=2), ''),
    'a loss': (ZERO | dict(lost=1), 'r'),
    'failed writes': (ZERO | dict(failed=2), ''),
    'etcd out of reach': (ZERO | dict(outage=2), ''),
    'out of reach, keeper killed': (ZERO | dict(outage=1, keeper=1, failed=1), ''),
    'restored from a snapshot': (ZERO | dict(restore=1), 'RT'),  # it forgets the sends; by who was away, only: see the manual
    'a ledger from a backup': (ZERO | dict(backup=2, kill=1), 'rL'),
    'all of it': (ZERO | dict(kill=1, keeper=1, lost=1, failed=1, outage=1), 'rLS'),  # S: a send that never was counts, where its host is gone
}


def check_names():
    header = (Path(__file__).resolve().parents[2] / 'src/cluster/claims.h')
    if not header.exists():
        return
    enum = re.search(r'enum cluster_stage \{(.*?)\}', header.read_text(), re.S).group(1)
    code = tuple(name.lower() for name in re.findall(r'\bCLUSTER_([A-Z]+)', enum))
    if code != STAGES:
        sys.exit(f'the stages of the code are {code}, those of the model {STAGES}')


def table(show):
    failed = 0
    for title, (budget, allowed) in SCENARIOS.items():
        seen, bad = explore(budget)
        wrong = [p for p in bad if p not in allowed + 'l' and not (p == 'S' and NEVER)]
        failed += len(wrong)
        print(f'{title:32}{len(seen):>8}  ' + ' '.join(
            f'{p if p in bad else "-":>2}' for p in 'RrLTS') + f'  {"FAIL" if wrong else "ok"}', flush=True)
        for p in wrong if show else ():
            print(f'  {p}:\n    ' + '\n    '.join(trace(seen, *bad[p])))
    return failed


def mutants():
    alive = []
    for rule in RULES:
        OFF.clear()
        OFF.add(rule)
        found = None
        for title, (budget, allowed) in list(SCENARIOS.items())[:-1]:
            seen, bad = explore(budget, allowed)
            wrong = [p for p in bad if p not in allowed + 'l']
            if wrong:
                found = f'{wrong[0]} in "{title}": {trace(seen, *bad[wrong[0]])[-1]}'
                break
        print(f'{rule:34}{found or "SURVIVES: no scenario needs it"}', flush=True)
        alive += [] if found else [rule]
    OFF.clear()
    return len(alive)


def main():
    global NEVER
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--never', action='store_true', help='retry = "never"')
    p.add_argument('--mutants', action='store_true', help='rules off, one at a time: each must be needed')
    p.add_argument('--without', action='append', choices=RULES, metavar='RULE', help='switch a rule off')
    p.add_argument('--trace', action='store_true', help='the shortest trace of every violation')
    a = p.parse_args()
    check_names()
    NEVER = a.never
    OFF.update(a.without or ())
    return 1 if (mutants() if a.mutants else table(a.trace)) else 0


if __name__ == '__main__':
    sys.exit(main())
