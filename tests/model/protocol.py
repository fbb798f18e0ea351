#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Explicit-state model of the transaction (src/keepalive/cycle.h): every interleaving of it, and every kill.

Who moves: two runs (each a keeper and its courier, killed apart or together, between any two durable writes),
OpenClaw, a person (a login is issued, later saved, maybe behind a newer one; a logout; a decision: `sync --adopt`,
`sync --follow`, `restore`, each a run of its own that sends nothing), one restore of a main store, forgetting (what no
copy shows is in no list and has no mark any more), a state directory that is away for a while or cannot be read, and the
server: it rotates refresh tokens and revokes the family when a
spent one comes back, or keeps them, or rotates them beside an access token that stays. There is no time: a token is
due, late, or an orphan at its hold limit whenever the budget allows. What is done under one store lock is one move.

There are two kinds of OpenClaw. 2026.6.1 holds the refresh lock over its HTTP request and leaves the store as it was if
that fails. 2026.9.4 and later write a pending fence in the place of the token, in every store that holds it, drop the
lock, send, take it again and settle: the answer, or a failed fence, and the token is gone. It is killed between any two
of its steps, also between two stores. A fence ages when we have seen it in an earlier run and its maker is gone: the
ten minutes are longer than a request takes (one that is stopped inside for longer is not in the model).

What bounds it: every scenario gives each disturbance a budget, mostly of one, and tokens end with generation 5 (a
scenario may say fewer), so that no scenario of --fast has more than 20000 worlds and all together take seconds.

A *generation* is a number in order of issue; `tok` and `acc` say which refresh and access token it has. A copy is a
generation, a Fence of one, or ABSENT. A *name* is an account (a profile id) of the login: with two names (openai,
openai-codex) each has its main and agent copy, its record and its refresh lock; receipts are shared. A fence names its
token only to who has that token: a mark or a receipt, which has a hash, is no help. `copy_token` gives none for it.

With `dirs` each name is the one profile in a state directory of its own: its files are written one by one, what it has
may be *gone* for a while (a mount; nobody waits for it, and it comes back as it was) or *unread* (nothing is sent that it
may hold), and a run may look at one of them *alone* (`--state-dir`), which has the other's record and refresh lock, and
finishes no receipt of the other's.

Functions are called as in the code and stand in its order. What can be switched off is in RULES; `--mutants` proves
that every rule is needed: without it some scenario fails. A rule is changed here first; a trace becomes a test.

P1   we claim a token that a record, mark, receipt or copy shows as spent, or send one again not as the last resort
P1o  OpenClaw sends a token that we spent
P2   an answer that our courier received is, in the end, in no record (live, superseded or displaced)
P3   a copy is overwritten with a generation of an older login than its own
P4   in the end a copy is not the live one and nobody is told, or a login that works is reported as lost
P5   somebody is stuck: no move, runs without end, an answer that the next run may not finish, a receipt left open
P6   main is written after a run saw it logged out and before anybody logged in
P8   a login that still works is overwritten, and is not in displaced/
P9   a run that carries out a person's decision makes another login live than the one that was chosen, or a spent one
P7   a fence: we send a token that OpenClaw has in flight; one that names a live or superseded token stands in the end
     and nobody is told; a token that is fenced off and was sent twice is given to another copy

The last column names the limits that were met. Those of P1o and P3 are in the README: P1o after a courier died, an
answer was lost, a store was restored, or an orphan reached its hold limit without a run; P3 when a run was killed
between adopting a login and writing it, and OpenClaw rotated a copy of the old line meanwhile, or when the first run,
without a ledger, meets a login beside a later rotation of the old line (either login is in displaced/). Those of P7 are
one: `other name`, a failed fence under one name waits for another name of the login that needs a login (which is
reported), for a login is refreshed under all its names or none. `chosen`: a person brought a token back that
somebody else had used, which nobody here can know; the output says so. `gone`, `away`, `unread` and `alone` are those of a
state directory that a run did not see: OpenClaw rotated the token there and nowhere else, or has not got the new one yet.
"""
import argparse
import sys
import time
from collections import deque, namedtuple
from multiprocessing import Pool

RULES = {
    'look again under the locks': 'claim: what is carried out was decided under the refresh locks',
    'nothing without the locks': 'claim: the refresh locks also where only the ledger is to change',
    'all names locked': 'claim: the refresh locks of every name of the grant',
    'hold before takeover': 'claim: the new courier guards an answer before the lock files name it',
    'takeover restamps': 'claim: the lock files over an orphaned answer name the courier of the new run',
    'guard is found': 'claim: whoever guards the answer by now is taken over, not only who sent the token',
    'answer keeps its locks': 'claim: who cannot go on leaves locks over an unfinished answer to its courier',
    'all directories locked': 'claim: … also in a state directory at which this run does not look',
    'unread holds all': 'observe: what a state directory may hold that cannot be read is not sent',
    'shared receipt binds': 'cycle: accounts of one open receipt are one grant, whatever is live in them by now',
    'siblings follow': 'observe: a name follows another one that retired its live token',
    'held means busy': 'decide: a receipt in flight elsewhere is left alone',
    'recover only if live': 'decide: an answer becomes live only if its token still is',
    'rotation is the refresh token': 'decide: an answer is known already only if both its tokens are',
    'answer displaced': 'decide: an answer that cannot become live is kept',
    'unknown is not unsent': 'decide: only a receipt without a send is dropped',
    'two sends at most': 'decide: one last resort, not more, whoever asks for it',
    'force is no last try': 'decide: who wants a refresh now does not want a token sent that may be spent',
    'dead is remembered': 'decide: a dead token is not sent again',
    'spent is settled': 'decide: the receipt of a token that is not live any more is closed',
    'order by adoption': 'decide: only what is older than the adopted logins is superseded',
    'later than what was rotated away': 'decide: by its age alone nothing is adopted that we may have rotated away',
    'the age bound never falls': 'decide: not even when a login that is older becomes the live one',
    'a diverged main bars no delivery': 'decide: who holds a spent token gets the live one all the same',
    'ended is sticky': 'decide: a logged-out main that a backup brought back stays logged out',
    'only main ends the end': 'decide: neither an agent\'s login nor another name ends it',
    'an old backup ends no end': 'decide: nor does an unknown token in main that is older than the live login',
    'a young fence is waited for': 'decide: nothing is sent or written beside a fence whose maker may be at work',
    'a young fence bars adoption': 'decide: nor is a newer login adopted, before it is settled',
    'an aged fence has failed': 'decide: a pending fence whose maker is gone counts as a failed one',
    'sightings are kept': 'claim: when a pending fence was first seen is recorded by a run that is busy, too',
    'fenced is sent at once': 'decide: a failed fence of the live token is the last resort, whatever the time',
    'a foreign fence is a login': 'decide: a fence in main that names a token which we never had is for a person',
    'superseded fences are repaired': 'decide: a fence that names a superseded token is a superseded copy',
    'a good token lifts its fence': 'decide: the answer of a provider that keeps its token replaces the fence',
    'only its own answer proves a token': 'recover: only an answer to the live token shows that it still is good',
    "a fenced token in doubt is nobody else's": 'decide: while the last resort\'s outcome is unknown no copy gets the token',
    'a fence does not wait for its own answer': 'observe: the lost answer that another name waits for is its own last resort',
    'what was sent does not come back': 'choose: a token that has a receipt, or had one, is not made live again',
    'a decision is pinned': 'choose: nothing newer is adopted over what a person chose, in that run',
    'what gives way is kept': 'choose: the logins that a decision replaces are displaced before they are written over',
    'taken back everywhere': 'choose: what comes back is in no list of superseded tokens, and has no mark',
    'a decision is for all names': 'observe: a name follows what a person chose under another one, known or not',
    'behind the fence': 'observe: an unknown fence names the token of another name, or of a copy',
    'names wait together': 'observe: what one name may not send, no other name of the grant sends',
    'receipt before send': 'exchange: no receipt, no send',
    'courier checks locks': 'exchange: the courier sends only while all lock files are its own',
    'courier guards answer': 'exchange: an orphan with an answer stays until the hold limit',
    'who leads is saved first': 'commit: a name that follows another one is saved after it',
    'open receipts are closed last': 'commit: a token retired by one name keeps its receipt until all are written',
    'compare-and-swap': 'commit: only a copy whose token is known is overwritten',
    'known fences only': 'commit: a fence is overwritten only if it names a live or superseded token',
    'settle only after ledger': 'commit: a receipt is closed when ledger and copies have its answer',
    'locks until written': 'commit: the refresh locks are released when the copies are written',
    'locks until agents written': 'commit: … not when main alone is: an agent may send what its own copy still holds',
}
OFF = set()
ABSENT = -1
UNSEEN = {x: x for x in ('gone', 'away', 'unread', 'alone')}  # excuses: what a run could not see in a state directory
HERE, GONE, UNREAD = 'here', 'gone', 'unread'  # a state directory
EARLY, DUE, LATE = 'early', 'due', 'late'  # when a run happens (due: by time, or by force); late: time for the last resort
TOLD = 'told'  # a person says to send what may be spent (--last-try), and what is due as well
FENCED = 'fenced'  # a run that sends as the last resort because OpenClaw has thrown its token away

World = namedtuple('World', 'par tok acc server names receipts marks notes displaced keepers couriers openclaw wire login '
                            'budget history ghost')
Name = namedtuple('Name', 'main agent record sighted refresh_lock account_lock place', defaults=[HERE])
Fence = namedtuple('Fence', 'state of')  # a copy: 'pending' or 'failed', of a generation
Record = namedtuple('Record', 'live superseded anchor before previous diverged ended dead decided', defaults=[0])
Receipt = namedtuple('Receipt', 'token state sends answer names courier')  # answer: generation, 'dead', 'not spent'
Keeper = namedtuple('Keeper', 'stage names when owner token todo then choice sees',  # todo: the durable writes that are
                    defaults=[None, None])  # left; sees: the state directories it looks at, None: all
Choice = namedtuple('Choice', 'name kind what')  # adopt a store's copy, follow with it, restore a generation
OpenClaw = namedtuple('OpenClaw', 'name store copy answer')
Budget = namedtuple('Budget', 'keeper courier both lost connect not_spent busy login logout restore openclaw reclaim '
                              'dns openclaw_killed choose due forget last_try gone unread alone')
Ghost = namedtuple('Ghost', 'sent spent received peers excuse out chosen')  # seen by the properties only


def on(rule):
    return rule not in OFF


def put(t, i, value):
    return t[:i] + (value,) + t[i + 1:]


def set_name(w, n, **kw):
    return w._replace(names=put(w.names, n, w.names[n]._replace(**kw)))


def set_courier(w, i, courier):
    return w._replace(couriers=put(w.couriers, i, courier))


def pay(w, what):
    return w._replace(budget=w.budget._replace(**{what: getattr(w.budget, what) - 1}))


def note(w, **kw):
    return w._replace(ghost=w.ghost._replace(**kw))


def excuse(w, why):
    return note(w, excuse=w.ghost.excuse or why)


def login_of(w, g):
    while w.par[g] != ABSENT:
        g = w.par[g]
    return g


def is_login(copy):
    return isinstance(copy, int) and copy != ABSENT


def is_fence(copy):
    return isinstance(copy, Fence)


def copy_token(w, copy):
    """what compares as a token: a fence has none"""
    return w.tok[copy] if is_login(copy) else None


def generation_of(copy):
    return copy.of if is_fence(copy) else copy


def show(copy):
    return f'{copy.state}({copy.of})' if is_fence(copy) else str(copy)


def may_be_at_work(w, fence):
    """OpenClaw with its own refresh; the ten minutes that a fence needs to age are longer than that takes"""
    token = w.tok[fence.of]
    return ('oc', token) in w.wire or (w.openclaw is not None and w.tok[w.openclaw.copy] == token)


# ---- receipts, locks, couriers. A courier is ('ready',), ('request', token), ('sent', token) or ('guard', token).

def receipt_of(w, token):
    return next((r for r in w.receipts if r.token == token), None)


def with_receipt(w, receipt):
    return w._replace(receipts=tuple(sorted([r for r in w.receipts if r.token != receipt.token] + [receipt])))


def without_receipt(w, token):
    return w._replace(receipts=tuple(r for r in w.receipts if r.token != token))


def is_held(w, token, me):
    """by its OFD lock, in another run than `me`"""
    return any(j != me and ((k and k.token == token) or (c and c[0] != 'ready' and c[1] == token))
               for j, (k, c) in enumerate(zip(w.keepers, w.couriers)))


def lock_is_free(w, n):
    """not there, or a dead process stands in it"""
    owner = w.names[n].refresh_lock
    if owner is None or owner == 'oc':
        return owner is None
    return (w.couriers if owner[0] == 'c' else w.keepers)[int(owner[1])] is None


def orphan_guard(w, n, token):
    """who stands in the lock file: the courier of a dead keeper, with the answer to `token`?"""
    owner = w.names[n].refresh_lock
    if owner and owner[0] == 'c' and w.couriers[int(owner[1])] == ('guard', token) and not w.keepers[int(owner[1])]:
        return int(owner[1])
    return None


def tidy(w):
    """couriers whose keeper is gone, and who have neither a request out nor an answer to guard, leave"""
    for j, c in enumerate(w.couriers):
        if not c or w.keepers[j] or c[0] == 'sent':
            continue
        if (c[0] == 'guard' and on('courier guards answer') and receipt_of(w, c[1]) and
                any(n.refresh_lock == f'c{j}' for n in w.names)):
            continue
        w = set_courier(w, j, None)
    return w


def release(w, i):
    for n, name in enumerate(w.names):
        if name.refresh_lock in (f'c{i}', f'k{i}'):
            w = set_name(w, n, refresh_lock=None)
    return die(w, i)


def die(w, i, with_courier=False):
    for n, name in enumerate(w.names):
        if name.account_lock == i:
            w = set_name(w, n, account_lock=None)
    if w.keepers[i].sees:
        w = excuse(w, 'alone')  # the other directory has what is spent until a run looks at it
    if with_courier:
        w = set_courier(w, i, None)
    return tidy(w._replace(keepers=put(w.keepers, i, None)))


# ---- decide.c

class Account:
    """struct account: one name as a look shows it, and what is decided about it"""

    def __init__(self, w, n, me, when, claimed, opt, sibling, choice=None, sibling_chosen=False, sees=None):
        name = w.names[n]
        self.place = name.place
        self.n, self.sighted = n, name.sighted
        self.w, self.me, self.when, self.claimed, self.opt, self.sibling = w, me, when, claimed, opt, sibling
        self.main, self.recorded, self.record = name.main, name.record, name.record
        self.copies = [(s, c) for s, c in (('main', name.main), ('agent', name.agent))
                       if c != ABSENT and self.place == HERE]
        self.behind = self.behind_fence()
        tokens = {copy_token(w, c) for _, c in self.copies} | ({w.tok[name.record.live]} if name.record else set())
        tokens |= {copy_token(w, self.behind)}
        receipts = [r for r in w.receipts if n in r.names or r.token in tokens]
        # What another directory's run has under way is finished there. (No property needs it: it is whose locks they are.)
        self.elsewhere = [r for r in receipts if sees and not any(m in sees or w.names[m].place == GONE for m in r.names)]
        self.receipts = [r for r in receipts if r not in self.elsewhere]
        self.choice = choice if choice and choice.name == n else None
        self.offline, self.sibling_chosen = choice is not None, sibling_chosen
        self.chosen, self.follows, self.take_back = ABSENT, None, []
        self.verdict, self.write = 'none', ()
        self.recovers = self.proven = self.busy = self.send = self.fenced = self.held_by_name = False
        self.resend = self.waits_for_answer = False
        self.displaced, self.settle, self.drop, self.close = [], [], [], []

    def has_work(self):
        return bool(self.send or self.take_back or self.record != self.recorded or
                    self.sighted != self.w.names[self.n].sighted or self.settle or self.drop or self.close or self.write)

    def live_token(self):
        return self.w.tok[self.record.live]

    def change(self, **kw):
        self.record = self.record._replace(**kw)

    def conclude(self, verdict, write=()):
        self.verdict, self.write = verdict, write
        return self

    def knows(self, token):
        return token == self.live_token() or token in self.record.superseded

    def is_fresh(self, copy):
        token = copy_token(self.w, copy)
        return is_login(copy) and not self.knows(token) and token not in self.w.marks

    # fences.c, evidence.c

    def behind_fence(self):
        """never seen, and fenced in main: the same token under another name, or in a copy"""
        if self.recorded or not is_fence(self.main) or not on('behind the fence'):
            return ABSENT
        seen = {n.record.live for n in self.w.names if n.record}
        seen |= {c for n in self.w.names for c in (n.main, n.agent) if is_login(c)}
        return max((g for g in seen if self.w.tok[g] == self.w.tok[self.main.of]), default=ABSENT)

    def is_young(self, fence):
        """until it is ten minutes old by our own first sighting"""
        if not on('an aged fence has failed'):
            return fence.state == 'pending'
        return fence.state == 'pending' and (self.w.tok[fence.of] not in self.w.names[self.n].sighted or
                                             may_be_at_work(self.w, fence))

    def any_young(self):
        return (on('a young fence is waited for') and
                any(is_fence(c) and self.is_young(c) for _, c in self.copies))

    def sight(self):
        self.sighted = frozenset(self.w.tok[c.of] for _, c in self.copies if is_fence(c) and c.state == 'pending')

    def fence_names_live(self):
        return any(is_fence(c) and self.w.tok[c.of] == self.live_token() for _, c in self.copies)

    def is_repaired(self, fence):
        if on('a young fence is waited for') and self.is_young(fence):
            return False
        token = self.w.tok[fence.of]
        if token == self.live_token():
            return (self.proven or self.recovers and not on('only its own answer proves a token')) and \
                on('a good token lifts its fence')
        if token not in self.record.superseded:
            return not on('known fences only')
        return on('superseded fences are repaired')

    def wait_for_fence(self):
        self.busy = True
        return self.conclude('busy')

    def unknown_to_ledger(self):
        """no record: there is only what stands in main"""
        self.sight()
        if self.any_young():
            return self.wait_for_fence()
        return self.conclude('login')

    # adopt.c

    def issue_compare(self, a, b):
        return 0 if self.opt['unordered'] else (a > b) - (a < b)

    def others_at_work(self):
        if self.record and any(r.token == self.live_token() for r in self.elsewhere):
            return True
        return on('held means busy') and any(is_held(self.w, r.token, self.me) and
                                             not (self.claimed and r.state == 'ANSWERED') for r in self.receipts)

    def adopt(self, generation, ends_the_end=True):
        old = self.live_token()
        if copy_token(self.w, generation) != old:
            if not self.record.dead:
                self.displaced.append(self.record.live)
            close = [r.token for r in self.receipts if r.token == old and r.state != 'CLAIMED']
            self.close += close
            if not close or not on('open receipts are closed last'):
                self.settle.append(old)
            ended = self.record.ended and not ends_the_end and on('only main ends the end')
            self.change(superseded=self.record.superseded | {old}, anchor=generation, before=self.record.anchor,
                        previous=self.retired(), dead=False, ended=ended)
            self.live_settled = False
        self.change(live=generation)

    def latest_fresh(self, than):
        later = [c for s, c in self.copies if self.is_fresh(c) and s != self.follows
                 and copy_token(self.w, c) not in self.record.diverged and self.issue_compare(c, than) > 0 and self.is_later_than_rotated(c)]
        return max(later) if later else None

    def is_later_than_rotated(self, c):
        """lists and marks forget what was rotated away, so the newest of it bounds what is adopted by its age"""
        previous = self.record.previous
        return (previous == ABSENT or not on('later than what was rotated away') or
                self.issue_compare(c, previous) > 0)

    def adopt_newer_than_live(self):
        if self.main == ABSENT or self.others_at_work():
            return
        if self.any_young() and on('a young fence bars adoption'):
            return
        if self.record.ended and on('only main ends the end') and not self.is_fresh(self.main):
            return
        newer = self.latest_fresh(self.record.live)
        if newer is not None:
            self.adopt(newer)

    def retired(self):
        """the live token is about to be live no more"""
        return max(self.record.previous, self.record.live) if on('the age bound never falls') else self.record.live

    def take_tokens(self, answer):
        w = self.w
        rotated = w.tok[answer] != self.live_token()
        if w.acc[answer] == w.acc[self.record.live] and not (rotated and on('rotation is the refresh token')):
            return
        superseded = self.record.superseded | ({self.live_token()} if rotated else set())
        if rotated:
            self.change(previous=self.retired())
        self.change(live=answer, superseded=superseded - {w.tok[answer]}, dead=False)
        self.live_settled = False

    def recover(self, r):
        """False: it says nothing that can be relied on"""
        live = r.token == self.live_token() or not on('recover only if live')
        if isinstance(r.answer, int):
            self.recovers = True
            if live:
                self.take_tokens(r.answer)
            elif not self.knows(self.w.tok[r.answer]) and on('answer displaced'):
                self.displaced.append(r.answer)
            self.proven |= r.token == self.live_token()
            (self.drop if r.token == self.live_token() else self.close).append(r.token)
        elif r.answer == 'dead':
            if live and on('dead is remembered'):
                self.change(dead=True)
            (self.close if on('dead is remembered') else self.drop).append(r.token)
        elif r.sends <= 1 or not self.opt['rotates']:
            self.drop.append(r.token)
        else:
            return False
        return True

    def judge_receipts(self):
        unknown = None
        for r in self.receipts:
            if r.state == 'CLAIMED' and r.sends == 0:
                self.drop.append(r.token)
            elif r.state == 'ANSWERED' and self.recover(r):
                pass
            elif r.token != self.live_token():
                self.close += [r.token] if on('spent is settled') else []
            elif self.opt['rotates'] and on('unknown is not unsent'):
                unknown = r
            else:
                self.drop.append(r.token)
        return unknown

    def adopt_newer_access(self):
        for _, c in self.copies:
            if (copy_token(self.w, c) == self.live_token() and self.w.acc[c] != self.w.acc[self.record.live] and
                    self.issue_compare(c, self.record.live) > 0):
                self.adopt(c)

    def judge_fresh(self):
        while (newer := self.latest_fresh(self.record.anchor)) is not None:
            self.adopt(newer)
        for s, c in self.copies:
            token = copy_token(self.w, c)
            if not self.is_fresh(c) or token in self.record.diverged or s == self.follows:
                continue
            before = self.record.before if self.record.before != ABSENT else self.record.anchor
            if self.issue_compare(c, before if on('order by adoption') else self.record.live) < 0:
                self.displaced.append(c)
                self.change(superseded=self.record.superseded | {token})
            else:
                self.change(diverged=self.record.diverged | {token})

    # choose.c

    def was_never_sent(self, token):
        return not receipt_of(self.w, token) and token not in self.w.notes

    def may_be_chosen(self, c, is_copy):
        """why_not"""
        token = self.w.tok[c]
        if self.main == ABSENT:
            return False
        if token == self.live_token():
            return not self.record.dead and not self.live_settled
        kept = not is_copy or token in self.w.marks or any(self.w.tok[g] == token for g in self.w.displaced)
        sent = not self.was_never_sent(token)
        if on('what was sent does not come back') and (sent or (self.knows(token) or token in self.w.marks) and not kept):
            return False
        return kept or self.record.previous == ABSENT or self.issue_compare(c, self.record.previous) > 0

    def bring_back(self, token):
        if on('taken back everywhere'):
            self.change(superseded=self.record.superseded - {token}, diverged=self.record.diverged - {token})
            self.take_back.append(token)

    def choose(self):
        """False: refused"""
        kind, what = self.choice.kind, self.choice.what
        c = dict(self.copies).get(what, ABSENT) if kind != 'restore' else what
        if kind == 'follow':
            good = not self.record.ended and not self.record.dead and not self.live_settled
            if what == 'main' or not is_login(c) or self.main == ABSENT or not good:
                return False
            self.follows = what
            return True
        if not is_login(c) or not self.may_be_chosen(c, kind == 'adopt'):
            return False
        token = self.w.tok[c]
        if token != self.live_token():
            if self.knows(token) or kind == 'restore' or token in self.w.marks:
                self.bring_back(token)
            self.adopt(c)
            self.live_settled = False
            self.change(decided=1 + max(n.record.decided for n in self.w.names if n.record))  # the time of it
        self.change(ended=False)
        self.chosen = c
        return True

    def displace_others(self):
        for s, c in self.copies:
            if (s == self.follows or self.chosen != ABSENT and on('a decision is pinned')) and self.is_fresh(c):
                if on('what gives way is kept'):
                    self.displaced.append(c)
                self.change(superseded=self.record.superseded | {copy_token(self.w, c)})

    def judge_members(self):
        """the copies to write"""
        def is_superseded(c):
            if is_fence(c):
                return self.is_repaired(c)
            if copy_token(self.w, c) == self.live_token():
                return self.w.acc[c] != self.w.acc[self.record.live]
            return not self.is_fresh(c)
        return tuple(s for s, c in self.copies if is_superseded(c))

    def end_account(self):
        self.change(ended=True)
        # A rotation under way is still delivered to whoever held the spent token.
        return self.conclude('ended', tuple(s for s in self.judge_members() if s != 'main') if self.recovers else ())

    def remains_ended(self):
        return self.main == ABSENT or (self.record.ended and on('ended is sticky') and not self.is_fresh(self.main))

    def adopt_first(self):
        known = self.sibling is not None and self.knows(self.w.tok[self.sibling])
        if self.sibling is not None and (not known or self.sibling_chosen):
            if known:
                self.bring_back(self.w.tok[self.sibling])
                self.change(decided=max(n.record.decided for n in self.w.names if n.record))
            self.adopt(self.sibling, ends_the_end=False)
        self.adopt_newer_than_live()

    def decide(self):
        if self.place == GONE:
            return self.conclude('gone')
        if self.place == UNREAD:
            return self.conclude('hold')
        if self.record is None:
            first = self.behind if is_fence(self.main) else self.main
            if first == ABSENT:
                return self.unknown_to_ledger()
            if is_login(self.main):  # then nothing but that can be live
                before, self.sighted = self.sighted, None
                self.sight()
                if self.any_young():
                    return self.wait_for_fence()
                self.sighted = before
            self.record = Record(first, frozenset(), first, ABSENT, ABSENT, frozenset(), False, False)
        self.live_settled = self.live_token() in self.w.marks
        if self.choice and not self.others_at_work() and not self.any_young() and not self.choose():
            return self.conclude('refused')
        pinned = self.chosen != ABSENT and on('a decision is pinned')
        if not pinned:
            self.adopt_first()
        if self.others_at_work():
            self.busy = True
            return self.conclude('busy')
        self.sight()
        unknown = self.judge_receipts()
        if self.any_young():
            return self.wait_for_fence()
        if self.remains_ended():
            return self.end_account()
        self.displace_others()
        if not pinned:
            self.adopt_newer_access()
            self.judge_fresh()
        if on('an old backup ends no end') and self.remains_ended():
            return self.end_account()
        if self.is_fresh(self.main):
            good = not self.record.dead and not self.live_settled and not self.fence_names_live()
            deliver = good and on('a diverged main bars no delivery')
            return self.conclude('diverged', self.judge_members() if deliver else ())
        if is_fence(self.main) and not self.knows(self.w.tok[self.main.of]) and on('a foreign fence is a login'):
            return self.conclude('login')
        if self.record.dead or self.live_settled:
            return self.conclude('login')
        if unknown and unknown.token != self.live_token():
            unknown = None
        if self.fence_names_live() and not self.recovers and on('fenced is sent at once'):
            return self.decide_fenced(unknown)
        if unknown and unknown.token == self.live_token():
            if unknown.sends >= 2 and on('two sends at most'):
                return self.conclude('login', self.judge_members())
            self.send = not self.offline and (self.when in (LATE, TOLD) or
                                              self.when == DUE and not on('force is no last try'))
            self.waits_for_answer = not self.send
            return self.conclude('hold', self.judge_members())
        self.send = self.when in (DUE, TOLD) and not self.recovers and not self.offline
        return self.conclude('none', self.judge_members())

    def decide_fenced(self, unknown):
        """OpenClaw's own refresh of the live token failed, and it has thrown the token away"""
        if unknown and unknown.sends >= 2 and on('two sends at most'):
            return self.conclude('login')
        if self.offline:
            return self.conclude('hold')
        self.send = self.fenced = True
        self.resend = bool(unknown)
        nobody = unknown and on('a fenced token in doubt is nobody else\'s')
        return self.conclude('none', () if nobody else self.judge_members())


# ---- observe.c, cycle.c

def look(w, me, when, opt, mine=(), choice=None, sees=None):
    """every name, decided; `mine`: their account locks are ours; of those that it does not see it has the record"""
    def decide(n, sibling=None, sibling_chosen=False):
        claimed = n in mine or w.names[n].account_lock is None
        a = Account(w, n, me, when, claimed, opt, sibling, choice, sibling_chosen, sees)
        return a.decide() if not sees or n in sees else a.conclude('not seen')
    accounts = [decide(n) for n in range(len(w.names))]
    for n, a in enumerate(accounts):
        if a.verdict in ('gone', 'not seen') or a.place == UNREAD:
            continue
        for other in accounts:
            if (on('siblings follow') and other is not a and other.record and a.record and
                    a.chosen == ABSENT and a.live_token() in other.record.superseded):
                chosen = ((other.chosen != ABSENT or other.record.decided > a.record.decided) and
                          on('a decision is for all names'))
                accounts[n] = decide(n, other.record.live, chosen)
                break
    if on('names wait together'):
        hold_together(accounts)
    return accounts


def hold_together(accounts):
    """a grant is refreshed for all its names or for none"""
    for a in accounts:
        for other in accounts:
            same_wait = a.resend and other.waits_for_answer and on('a fence does not wait for its own answer')
            if (a.send and other is not a and not same_wait and connected(a, other) and
                    other.verdict in ('busy', 'login', 'diverged', 'hold') and not other.send and
                    (other.place != UNREAD or on('unread holds all'))):
                a.send, a.held_by_name = False, a.fenced
                a.verdict = 'busy' if other.busy else 'hold'
                a.busy = a.busy or other.busy


def connected(a, b):
    if 'not seen' in (a.verdict, b.verdict):
        return False
    return bool(a.record and b.record and a.live_token() == b.live_token() or
                on('shared receipt binds') and any(r in b.receipts for r in a.receipts))


def grants(accounts):
    if len(accounts) < 2:
        return [(0,)]
    return [(0, 1)] if connected(*accounts) else [(0,), (1,)]


def answered_receipt(accounts):
    return next((r.token for a in accounts for r in a.receipts if r.state == 'ANSWERED'), None)


def describe(accounts, names):
    def one(n, a):
        words = [a.verdict] + ['recover'] * a.recovers + ['send'] * a.send + ['write ' + s for s in a.write]
        copies = ' '.join(f'{s}={show(c)}' for s, c in a.copies) or 'no copy'
        return f'[{n}: {copies} live={a.record.live if a.record else None} {" ".join(words)}]'
    return ' '.join(one(n, accounts[n]) for n in names)


# ---- one run: claim.c, exchange.c, commit.c

def persist(w, names, accounts):
    """account_persist for all names: the durable writes, one by one"""
    todo = []
    for n in sorted(names, key=lambda n: accounts[n].sibling is not None and on('who leads is saved first')):
        a = accounts[n]
        todo += [('displace', g) for g in a.displaced if g not in w.displaced]
        todo += [('take back', t) for t in a.take_back if t in w.marks]
        if a.record != a.recorded or a.sighted != w.names[n].sighted:
            todo.append(('record', n, a.record, a.sighted))
        todo += [('settle', t) for t in a.settle if t not in w.marks or receipt_of(w, t)]
        todo += [('drop', t) for t in a.drop]
    return tuple(dict.fromkeys(todo))


def write_store(w, store, names, opt, fail, who):
    """under the store's lock: read again, compare, swap; one store at once for every name in it"""
    for n in names:
        r, copy = w.names[n].record, getattr(w.names[n], store)
        token = copy_token(w, copy)
        if copy in (ABSENT, r.live) or w.names[n].place != HERE:
            continue
        if is_fence(copy):
            if not may_replace_fence(w, w.names[n], copy):
                continue
            if w.tok[copy.of] == w.tok[r.live] and opt['server'] != 'keeps':
                fail('P7', f'{who} lifts the fence in {store} of {n} with the same token {r.live}, untried')
        elif not (token == w.tok[r.live] or token in r.superseded or token in w.marks) and on('compare-and-swap'):
            continue
        unknown = receipt_of(w, w.tok[r.live])
        if (unknown and unknown.state == 'SENDING' and
                any(is_fence(c) and w.tok[c.of] == w.tok[r.live] for c in (w.names[n].main, w.names[n].agent))):
            fail('P7', f'{who} gives {store} of {n} the token {r.live}, which is fenced off and may be spent')
        copy = generation_of(copy)
        if (w.server[w.tok[copy]] == 'live' and w.tok[copy] != w.tok[r.live] and
                all(w.tok[g] != w.tok[copy] for g in w.displaced)):
            fail('P8', f'{who} overwrites {store} of {n}, {copy}, which works and is kept nowhere')
        if login_of(w, copy) > login_of(w, r.live) and not w.ghost.chosen:
            limit = 'no ledger' if opt['ledger'] is False and r.before == ABSENT else ''
            if w.budget.keeper + w.budget.both < opt['kills'] and rotated_by_peer(w, r.live, copy):
                limit = 'old line rotated after a login'
            fail('P3', f'{who} overwrites {store} of {n}, {copy}, with {r.live} of an older login', limit)
        if store == 'main' and w.ghost.out[n] == 'seen':
            fail('P6', f'{who} writes {r.live} into main of {n}, which was logged out')
        w = set_name(w, n, **{store: r.live})
    return w


def may_replace_fence(w, name, fence):
    token, r = w.tok[fence.of], name.record
    known = token == w.tok[r.live] or token in r.superseded
    young = fence.state == 'pending' and (token not in name.sighted or may_be_at_work(w, fence))
    if not on('a young fence is waited for') or not on('an aged fence has failed'):
        young = not on('an aged fence has failed') and fence.state == 'pending'
    return not young and (known or not on('known fences only'))


def rotated_by_peer(w, generation, since):
    while generation > since:
        if generation in w.ghost.peers:
            return True
        generation = w.par[generation]
    return False


def shown_as_spent(w, token):
    """does anything that we can read show it?"""
    records = [n.record for n in w.names if n.record]
    if token in w.marks or any(token in r.superseded or (r.dead and w.tok[r.live] == token) for r in records):
        return True
    shown = {c for n in w.names for c in (n.main, n.agent) if is_login(c) and n.place == HERE} | {r.live for r in records} | {
        r.answer for r in w.receipts if isinstance(r.answer, int)}

    def descends(g):
        while g != ABSENT and w.par[g] != ABSENT:
            if w.tok[w.par[g]] == token and w.tok[g] != token:
                return True
            g = w.par[g]
        return False
    return any(descends(g) for g in shown)


def names_to_lock(w, k):
    """claim_locked, add_locks_elsewhere: where a directory is, of each name of the grant, and of who else has its token"""
    names = [n for n in k.names if w.names[n].place != GONE]
    if k.sees and on('all directories locked'):
        live = {w.tok[w.names[n].record.live] for n in k.names if w.names[n].record}
        names += [n for n, x in enumerate(w.names) if n not in k.sees and x.place != GONE and
                  x.record and w.tok[x.record.live] in live]
    return names


def is_live_elsewhere(accounts, token, but):
    return any(a is not but and a.verdict != 'not seen' and a.place == HERE and a.record and not a.record.dead and
               a.live_token() == token for a in accounts)


class Run:
    """the moves of run `i`"""

    def __init__(self, w, i, opt, emit, fail):
        self.w, self.i, self.opt, self.emit, self.fail = w, i, opt, emit, fail
        self.k, self.who = w.keepers[i], f'keeper{i}'

    def go(self, label, world=None, **kw):
        w = world or self.w
        self.emit('go', f'{self.who} {label}', tidy(w._replace(keepers=put(w.keepers, self.i, self.k._replace(**kw)))))

    def let_go(self, label):
        self.emit('go', f'{self.who} {label}', release(self.w, self.i))

    def moves(self):
        w, k = self.w, self.k
        if k is None:
            # The two runs are alike: the second works only beside the first.
            if not w.couriers[self.i] and (self.i == 0 or w.keepers[0] or w.couriers[0]):
                self.start()
                for n in range(len(w.names)) if w.budget.alone else ():
                    self.start((n,))
                for choice in self.choices():
                    self.start_choice(choice)
            return
        if w.budget.keeper:
            self.emit('kill', f'{self.who} killed ({k.stage})', pay(die(w, self.i), 'keeper'))
        if w.budget.both:
            self.emit('kill', f'{self.who} and its courier killed ({k.stage})',
                      pay(excuse(die(w, self.i, True), 'both'), 'both'))
        if k.todo:
            self.durable_write()
        else:
            getattr(self, k.then)()

    def start(self, sees=None):
        """the look without a lock; account locks; the look under them; the courier"""
        w, at_once = self.w, set()
        for when in self.occasions():
            accounts = look(w, self.i, when, self.opt, sees=sees)
            for names in grants(accounts):
                mine = [accounts[n] for n in names]
                send, answered = any(a.send for a in mine), answered_receipt(mine)
                fenced = any(a.send and a.fenced for a in mine)
                if any(w.names[n].account_lock is not None for n in names):
                    continue
                if any(a.busy for a in mine):
                    if when == EARLY:
                        self.start_busy(names, accounts)
                    continue
                if when == EARLY and fenced:
                    at_once.add(names)
                if (not any(a.has_work() for a in mine) or send != (when != EARLY or fenced) or
                        when != EARLY and names in at_once or send and len(w.par) >= self.opt['generations']):
                    continue
                x = pay(w, 'alone') if sees else w
                if sees and w.receipts:  # which it finishes, and delivers at what it sees
                    x = excuse(x, 'alone')
                for n in names:
                    x = set_name(x, n, account_lock=self.i)
                if send or answered is not None:
                    guard = answered is not None and not send and on('hold before takeover')
                    x = set_courier(x, self.i, ('guard', answered) if guard else ('ready',))
                self.k = Keeper('GRANT_WAITING', names, FENCED if when == EARLY and fenced else when,
                                'c' if x.couriers[self.i] else 'k', None, (), 'claim', None, sees)
                label = f'{self.who} looks{f" at {sees[0]} alone" if sees else ""} ({when}): {describe(accounts, names)}'
                if not any(a.send or a.write or a.receipts for a in mine) and not on('nothing without the locks'):
                    self.k = self.k._replace(stage='GRANT_WRITING', todo=persist(w, names, accounts), then='round')
                self.emit('start', label, x._replace(keepers=put(x.keepers, self.i, self.k)))

    def choices(self):
        w = self.w
        for n, name in enumerate(w.names) if w.budget.choose else ():
            if name.record and name.account_lock is None:
                yield from (Choice(n, kind, s) for kind in ('adopt', 'follow') for s in ('main', 'agent'))
                yield from (Choice(n, 'restore', g) for g in sorted(w.displaced))

    def start_choice(self, choice):
        """a person decides: a run that sends nothing"""
        w = self.w
        accounts = look(w, self.i, EARLY, self.opt, choice=choice)
        names = next(g for g in grants(accounts) if choice.name in g)
        mine = [accounts[n] for n in names]
        refused = accounts[choice.name].verdict == 'refused'
        if (refused or any(a.busy for a in mine) or not any(a.has_work() for a in mine) or
                any(w.names[n].account_lock is not None for n in names)):
            return
        x, answered = pay(w, 'choose'), answered_receipt(mine)
        for n in names:
            x = set_name(x, n, account_lock=self.i)
        if answered is not None:
            x = set_courier(x, self.i, ('guard', answered))
        k = Keeper('GRANT_WAITING', names, EARLY, 'k' if answered is None else 'c', None, (), 'claim', choice)
        self.emit('start', f'{self.who}: a person says {choice.kind} {choice.what}: {describe(accounts, names)}',
                  x._replace(keepers=put(x.keepers, self.i, k)))

    def note_chosen(self, w, accounts):
        for a in accounts:
            if self.k.choice and (a.chosen != ABSENT or a.follows):
                w = note(w, chosen=w.ghost.chosen | ({w.tok[a.chosen]} if a.chosen != ABSENT else {ABSENT}))
                if a.chosen != ABSENT:  # that it was no logout, too
                    w = note(w, out=put(w.ghost.out, a.n, ''))
                if a.chosen != ABSENT and w.server[w.tok[a.chosen]] != 'live':
                    w = excuse(w, 'chosen')
                changes = a.chosen != ABSENT and w.tok[a.chosen] != w.tok[a.recorded.live]
                if changes and self.opt['rotates'] and w.tok[a.chosen] in w.ghost.sent:
                    self.fail('P9', f'{self.who} makes {a.chosen} live, which we spent')
                if a.chosen != ABSENT and w.tok[a.record.live] != w.tok[a.chosen] and not a.recovers:
                    self.fail('P9', f'{self.who} makes {a.record.live} live, and {a.chosen} was chosen')
        return w

    def occasions(self):
        b = self.w.budget
        return [EARLY] + [DUE] * bool(b.due) + [TOLD] * bool(b.last_try) + [LATE]

    def start_busy(self, names, accounts):
        """somebody is at work: what the look decided is saved, a sighting above all, with no lock but our own"""
        w, todo = self.w, persist(self.w, names, accounts)
        if not todo or not on('sightings are kept'):
            return
        for n in names:
            w = set_name(w, n, account_lock=self.i)
        self.k = Keeper('GRANT_WAITING', names, EARLY, 'k', None, todo, 'finish')
        self.emit('start', f'{self.who} looks: {describe(accounts, names)}',
                  w._replace(keepers=put(w.keepers, self.i, self.k)))

    def claim(self):
        """the refresh locks, all or none"""
        w, k = self.w, self.k
        for n in self.to_lock():
            if not lock_is_free(w, n) and not self.may_take_over(n):
                for r in w.receipts:
                    if k.owner == 'c' and n in r.names and orphan_guard(w, n, r.token) is not None:
                        self.fail('P5', f'{self.who} is kept from the answer to {r.token} by its guard')
                return self.let_go('lock_busy, gives up')
        x = w
        for n in self.to_lock() if on('all names locked') else k.names[:1]:
            if lock_is_free(w, n) or on('takeover restamps'):
                x = set_name(x, n, refresh_lock=f'{k.owner}{self.i}')
        if w.budget.busy:  # a store of the grant is locked: try later
            y = pay(tidy(x), 'busy')
            guard = y.couriers[self.i] and y.couriers[self.i][0] == 'guard' and on('answer keeps its locks')
            self.emit('fault', f'{self.who} takes the refresh locks, finds a store locked, tries later',
                      die(y, self.i) if guard else release(y, self.i))
        if on('look again under the locks'):
            return self.go('takes the refresh locks', x, then='look_again')
        self.go('takes the refresh locks and goes on', x, then='receipt' if k.when != EARLY else 'round')

    def to_lock(self):
        return names_to_lock(self.w, self.k)

    def may_take_over(self, n):
        for r in self.w.receipts:
            guard = orphan_guard(self.w, n, r.token)
            if r.state == 'ANSWERED' and guard not in (None, self.i) and self.w.couriers[self.i]:
                return on('guard is found') or guard == r.courier
        return False

    def look_again(self):
        """claim_locked and proceed: what is decided now is carried out"""
        k, x = self.k, self.w
        accounts = look(x, self.i, k.when, self.opt, k.names, k.choice, k.sees)
        mine = [accounts[n] for n in k.names]
        x = self.note_chosen(x, mine)
        send, answered = any(a.send for a in mine), answered_receipt(mine)
        label = f'looks again: {describe(accounts, k.names)}'
        complete = not any(set(g) & set(k.names) and set(g) - set(k.names) for g in grants(accounts))
        if (any(a.busy for a in mine) or not any(a.has_work() for a in mine) or not complete or
                (send or answered is not None) and k.owner == 'k' or send and len(x.par) >= self.opt['generations']):
            return self.let_go(label + ', lets go')
        if send:
            if k.when not in (LATE, TOLD) and any(a.send and a.fenced for a in mine):
                self.k = k._replace(when=FENCED)
            return self.go(label, todo=persist(x, k.names, accounts), then='receipt')
        if answered is not None:
            x = set_courier(x, self.i, ('guard', answered))
        self.go(label, x, stage='GRANT_WRITING', todo=persist(x, k.names, accounts), then='round', token=answered)

    def receipt(self):
        """open_receipt: RECEIPT_CLAIMED, or the one of unknown outcome once more"""
        w, k = self.w, self.k
        token = next((w.tok[w.names[n].record.live] for n in k.names if w.names[n].record and w.names[n].place == HERE), None)
        if token is None:
            return self.let_go('sees nothing any more')
        r = receipt_of(w, token)
        if token in w.marks or r and is_held(w, token, self.i):
            return self.let_go('receipt_exists')
        if r and k.when not in (LATE, TOLD, FENCED):
            if not on('force is no last try'):
                self.fail('P1', f'{self.who} sends {token} once more, though that was not asked for')
            return self.let_go('receipt_exists')
        if self.opt['rotates'] and shown_as_spent(w, token):
            limit = 'chosen' if token in w.ghost.chosen and token not in w.ghost.sent else ''
            limit = limit or UNSEEN.get(w.ghost.excuse, 'alone' if k.sees else '')
            self.fail('P1', f'{self.who} claims {token}, which is recorded as spent or dead', limit)
        if self.opt['rotates'] and token in w.ghost.sent and not r:
            self.fail('P1', f'{self.who} claims {token} again')
        if not r and on('receipt before send'):
            w = with_receipt(w, Receipt(token, 'CLAIMED', 0, None, k.names, self.i))
        self.go(f'receipt for {token}{" (once more)" if r else ""}', pay(w, {DUE: 'due', TOLD: 'last_try'}[k.when]) if k.when in (DUE, TOLD) else w,
                token=token, then='hand_over')

    def hand_over(self):
        self.go(f'hands {self.k.token} to its courier', set_courier(self.w, self.i, ('request', self.k.token)),
                stage='GRANT_EXCHANGING', then='finish_exchange')

    def finish_exchange(self):
        w, k = self.w, self.k
        courier, r = w.couriers[self.i], receipt_of(w, k.token)
        if courier and courier[0] in ('request', 'sent'):
            return
        for n in range(len(w.names)) if courier is None else ():  # courier_is_gone: the keeper answers for its lock files
            if w.names[n].refresh_lock == f'c{self.i}':
                w = set_name(w, n, refresh_lock=f'k{self.i}')
        if r and r.sends:
            return self.go(f'hears of {k.token}: {r.state} {r.answer}', w, stage='GRANT_WRITING', then='round')
        accounts = look(w, self.i, EARLY, self.opt, k.names, sees=k.sees)
        self.go(f'hears that {k.token} was not sent', w, stage='GRANT_WRITING', todo=persist(w, k.names, accounts),
                then='finish')

    def round(self):
        """write_round: look, ledger, main, agents, and so on until a look finds nothing; then close the receipts"""
        w, k = self.w, self.k
        accounts = look(w, self.i, EARLY, self.opt, k.names, k.choice, k.sees)
        mine = [accounts[n] for n in k.names]
        w = self.note_chosen(w, mine)
        todo = persist(w, k.names, accounts)
        close = tuple(dict.fromkeys(('settle', t) for a in mine for t in a.close if not is_live_elsewhere(accounts, t, a)))
        stores = [('write', s, tuple(n for n in k.names if s in accounts[n].write)) for s in ('main', 'agent')]
        if self.opt['dirs']:  # each has files of its own
            stores = [('write', s, (n,)) for _, s, names in stores for n in names]
        stores = tuple(x for x in stores if x[2])
        if not on('settle only after ledger'):
            todo = close + todo
        if stores and not on('locks until written'):
            for n in k.names:
                w = set_name(w, n, refresh_lock=None)
        if stores:
            return self.go(f'round: {describe(accounts, k.names)}', w, todo=todo + stores)
        for n, a in zip(k.names, mine):
            if self.opt['server'] == 'keeps' and a.proven and a.verdict == 'none' and a.fence_names_live():
                self.fail('P7', f'{self.who} leaves the fence of {n}, though an answer shows its token to be good')
        self.go('round: nothing left to write', w, todo=todo + close, then='finish')

    def finish(self):
        self.let_go('releases')

    def durable_write(self):
        op, *arg = self.k.todo[0]
        w = self.w
        if op == 'displace':
            w = w._replace(displaced=w.displaced | {arg[0]})
        elif op == 'record':
            n, record, sighted = arg
            w = set_name(w, n, record=record, sighted=sighted)
            if record and record.ended and w.ghost.out[n]:
                w = note(w, out=put(w.ghost.out, n, 'seen'))
        elif op == 'settle':
            sent = {arg[0]} if receipt_of(w, arg[0]) else set()
            w = without_receipt(w, arg[0])._replace(marks=w.marks | {arg[0]}, notes=w.notes | sent)
        elif op == 'take back':
            w = w._replace(marks=w.marks - ({arg[0]} - w.notes))
        elif op == 'drop':
            w = without_receipt(w, arg[0])
        else:
            w = write_store(w, arg[0], arg[1], self.opt, self.fail, self.who)
            if arg[0] == 'main' and not on('locks until agents written'):
                for n in arg[1]:
                    w = set_name(w, n, refresh_lock=None)
        self.go(f'{op} {" ".join(map(str, arg))}', w, todo=self.k.todo[1:])


# ---- courier

def courier_moves(w, i, opt, emit, fail):
    c, k = w.couriers[i], w.keepers[i]
    if c is None:
        return
    if w.budget.courier and c[0] != 'ready':
        emit('kill', f'courier{i} killed', pay(excuse(set_courier(w, i, None), 'courier'), 'courier'))
    if c[0] == 'guard' and not k:
        # What OpenClaw does then is excused, unless a run has come meanwhile.
        waits = all(x is None or x.stage == 'GRANT_WAITING' or x.sees for x in w.keepers)
        x = excuse(w, 'hold') if waits else w
        emit('hold', f'courier{i} leaves: hold limit', set_courier(x, i, None))
    if c[0] != 'request':
        return
    token = c[1]
    r = receipt_of(w, token)
    if w.budget.connect:
        emit('fault', f'courier{i} cannot connect', pay(set_courier(w, i, ('ready',)), 'connect'))
    locked = names_to_lock(w, k) if on('all names locked') else k.names[:1]
    if on('courier checks locks') and any(w.names[n].refresh_lock != f'c{i}' for n in locked):
        return emit('go', f'courier{i} has lost its locks', set_courier(w, i, ('ready',)))
    if opt['rotates'] and w.ghost.sent.count(token) >= 2:
        fail('P1', f'courier{i} sends {token} a third time')
    if opt['openclaw_is'] == '2026.9' and may_be_at_work(w, Fence('pending', token)):
        fail('P7', f'courier{i} sends {token}, which OpenClaw has in flight')
    x = note(set_courier(w, i, ('sent', token)), sent=tuple(sorted(w.ghost.sent + (token,))))
    if r:
        x = with_receipt(x, r._replace(state='SENDING', sends=r.sends + 1, answer=None))
    emit('go', f'courier{i} sends {token}', x._replace(wire=x.wire | {(f'c{i}', token)}))


def courier_hears(w, i, token, answer):
    if answer == 'lost':
        return set_courier(w, i, ('ready',) if w.keepers[i] else None)
    if isinstance(answer, int):
        w = note(w, received=w.ghost.received | {answer})
    unspent = answer == 'not spent' and w.ghost.sent.count(token) == 1
    if unspent or isinstance(answer, int) and w.tok[answer] == token:
        w = note(w, sent=tuple(t for t in w.ghost.sent if t != token))
    r = receipt_of(w, token) or Receipt(token, 'SENDING', 1, None, tuple(range(len(w.names))), i)
    return tidy(set_courier(with_receipt(w, r._replace(state='ANSWERED', answer=answer)), i, ('guard', token)))


# ---- server, OpenClaw, people

def server_moves(w, opt, emit, fail):
    for who, token in w.wire:
        ours = who != 'oc'
        i = int(who[1]) if ours else None
        alive = (w.couriers[i] == ('sent', token) if ours else
                 w.openclaw is not None and w.openclaw.answer is None and w.tok[w.openclaw.copy] == token)
        x = w._replace(wire=w.wire - {(who, token)})

        def give(x, answer):
            if not alive:
                return x
            if ours:
                return courier_hears(x, i, token, answer)
            return x._replace(openclaw=x.openclaw._replace(answer=answer))

        if not alive:
            emit('drop', f'request {token} of dead {who} lost', x)
        if alive and w.budget.lost:
            emit('fault', f'request {token} of {who} lost', give(pay(excuse(x, 'lost'), 'lost'), 'lost'))
        if alive and ours and w.budget.not_spent:
            emit('fault', f'server: not now, {who}', give(pay(x, 'not_spent'), 'not spent'))
        if w.server[token] != 'live':
            if not ours and token in w.ghost.spent:
                fail('P1o', f'OpenClaw sends {token}, which we spent', w.ghost.excuse)
            x = x._replace(server=tuple('dead' if s == 'live' and login_of(w, t) == login_of(w, token) else s
                                        for t, s in enumerate(w.server)))
            emit('net', f'server: {token} of {who} was spent, family revoked',
                 give(x if ours else excuse(x, 'revoked'), 'dead'))
            continue
        if not ours and opt['openclaw_fails']:
            emit('net', f'request {token} of {who} lost', give(x, 'lost'))
            continue
        g = len(w.par)
        # A login is saved before a second rotation of the old line (not closable, see the README).
        if g >= opt['generations'] or w.login and g > w.login[0] + 1:
            continue
        parent = max(p for p, t in enumerate(w.tok) if t == token)
        keeps = opt['server'] == 'keeps'
        x = x._replace(par=w.par + (parent,), tok=w.tok + (token if keeps else g,),
                       acc=w.acc + (w.acc[parent] if opt['server'] == 'rotates beside' else g,),
                       server=w.server + ('none',) if keeps else put(w.server, token, 'spent') + ('live',))
        if not ours:
            x = note(x, peers=x.ghost.peers | {g})
        elif not keeps:
            x = note(x, spent=x.ghost.spent | {token})
        emit('net', f'server: {token} -> {g} for {who}', give(x, g))
        if alive and w.budget.lost:
            emit('fault', f'server: {token} -> {g} for {who}, answer lost',
                 give(pay(excuse(x, 'lost'), 'lost'), 'lost'))


def openclaw_moves(w, opt, emit):
    """2026.6.1: one lock over all of it, the store unchanged if it fails"""
    if opt['openclaw_is'] == '2026.9':
        return fencing_openclaw_moves(w, opt, emit)
    o = w.openclaw
    if o and o.answer is not None:
        x, name = set_name(w, o.name, refresh_lock=None)._replace(openclaw=None), w.names[o.name]
        if not isinstance(o.answer, int):
            return emit('finish', 'OpenClaw gives up', x)
        if o.store == 'agent':
            x = set_name(x, o.name, agent=o.answer)
        if o.store == 'main' or (is_login(name.main) and name.main < o.answer):
            x = note(set_name(x, o.name, main=o.answer), out=put(x.ghost.out, o.name, ''))
        return emit('finish', f'OpenClaw saves {o.answer}', x)
    if o or not w.budget.openclaw or len(w.par) >= opt['generations'] or w.login and len(w.par) > w.login[0] + 1:
        return
    for n, name in enumerate(w.names):
        if name.place == GONE:
            continue
        store = 'agent' if name.agent > name.main else 'main'
        token = copy_token(w, getattr(name, store))
        # A run that was stopped for minutes before it sent: old versions reclaim its lock.
        i = int(name.refresh_lock[1]) if name.refresh_lock and name.refresh_lock[0] == 'c' else None
        stopped = i is not None and w.budget.reclaim and w.keepers[i] and (w.couriers[i] or '-')[0] == 'request'
        if token is not None and (stopped or lock_is_free(w, n)):
            x = pay(pay(w, 'openclaw'), 'reclaim') if stopped else pay(w, 'openclaw')
            x = set_name(x, n, refresh_lock='oc')._replace(openclaw=OpenClaw(n, store, getattr(name, store), None))
            emit('openclaw', f'OpenClaw locks name {n}, sends {token} of {store}',
                 x._replace(wire=x.wire | {('oc', token)}))


def fencing_openclaw_moves(w, opt, emit):
    """2026.9.4 and later: a claim under the lock, the request without it, the settling under it again"""
    o = w.openclaw
    if o:
        if w.budget.openclaw_killed:
            emit('kill', 'OpenClaw killed', pay(w._replace(openclaw=None), 'openclaw_killed'))
        if o.answer is not None and lock_is_free(w, o.name):
            settle_fence(w, emit)
        return
    if not w.budget.openclaw or len(w.par) >= opt['generations'] or w.login and len(w.par) > w.login[0] + 1:
        return
    for n, name in enumerate(w.names):
        if lock_is_free(w, n) and name.place != GONE:
            claim_fence(w, n, name, emit)


def claim_fence(w, n, name, emit):
    """the pending fence: first where the login is, then in every other store that holds the same token"""
    main, agent = name.main, name.agent
    fenced_in_main = is_fence(main) and is_login(agent) and w.tok[main.of] == w.tok[agent]
    if is_login(agent) and (not is_login(main) or agent > main) and not fenced_in_main:
        store, other = 'agent', 'main'
    elif is_login(main):
        store, other = 'main', 'agent'
    else:
        return  # a fence is waited for in vain, or unavailable
    copy = getattr(name, store)
    x = set_name(pay(w, 'openclaw'), n, **{store: Fence('pending', copy)})
    has_peer = copy_token(w, getattr(name, other)) == w.tok[copy]
    if has_peer and w.budget.openclaw_killed:
        emit('kill', f'OpenClaw fences {store} of {n}, {copy}, and is killed', pay(x, 'openclaw_killed'))
    if has_peer:
        x = set_name(x, n, **{other: Fence('pending', getattr(name, other))})
    x = x._replace(openclaw=OpenClaw(n, store, copy, None))
    emit('openclaw', f'OpenClaw fences {copy} in {store} of {n}, sends it',
         x._replace(wire=x.wire | {('oc', w.tok[copy])}))
    if w.budget.dns:
        emit('fault', f'OpenClaw fences {copy} in {store} of {n}, cannot resolve the name',
             pay(x._replace(openclaw=x.openclaw._replace(answer='lost')), 'dns'))


def settle_fence(w, emit):
    """only what is still exactly its own fence: the answer, or a failed fence; a peer inherits, or fails, too"""
    o, name = w.openclaw, w.names[w.openclaw.name]
    other = 'agent' if o.store == 'main' else 'main'

    def is_own(copy):
        return is_fence(copy) and copy.state == 'pending' and w.tok[copy.of] == w.tok[o.copy]
    x = w._replace(openclaw=None)
    if is_own(getattr(name, o.store)):
        good = isinstance(o.answer, int)
        x = set_name(x, o.name, **{o.store: o.answer if good else Fence('failed', o.copy)})
        if good and o.store == 'agent' and (name.main == ABSENT or is_login(name.main) and name.main < o.answer):
            x = set_name(x, o.name, main=o.answer)
        if good and x.names[o.name].main == o.answer:
            x = note(x, out=put(x.ghost.out, o.name, ''))
    if is_own(getattr(name, other)):
        if w.budget.openclaw_killed:
            emit('kill', f'OpenClaw settles {o.store} with {o.answer} and is killed', pay(x, 'openclaw_killed'))
        x = set_name(x, o.name, **{other: ABSENT if isinstance(o.answer, int) else Fence('failed', o.copy)})
    emit('finish', f'OpenClaw settles its fences: {o.answer}', x)


def person_moves(w, opt, emit):
    g = len(w.par)
    if w.login:
        new, n, store = w.login
        x = set_name(w, n, **{store: new})._replace(login=None)
        emit('save', f'login {new} saved in {store} of {n}',
             note(x, out=put(x.ghost.out, n, '')) if store == 'main' else x)
    for n, name in enumerate(w.names):
        directory_moves(w, n, name, emit)
        if name.place != HERE:
            continue
        for store in ('main', 'agent') if not w.login and w.budget.login and g < opt['generations'] else ():
            if store == 'main' or name.agent != ABSENT:
                x = w._replace(par=w.par + (ABSENT,), tok=w.tok + (g,), acc=w.acc + (g,), login=(g, n, store),
                               server=w.server + ('live',))
                emit('person', f'login {g} issued, for {store} of {n}', pay(x, 'login'))
        if w.budget.logout and name.main != ABSENT:
            emit('person', f'main of {n} logged out',
                 pay(note(set_name(w, n, main=ABSENT), out=put(w.ghost.out, n, 'out')), 'logout'))
        for of, old in w.history if w.budget.restore else ():
            if of == n and old != name.main:
                x, r = pay(excuse(set_name(w, n, main=old), 'restore'), 'restore'), name.record
                known = is_fence(old) or r and (w.tok[old] == w.tok[r.live] or w.tok[old] in r.superseded or
                                                old < r.anchor)
                emit('person', f'main of {n} restored to {show(old)}',  # an unknown newer token is as good as a login
                     x if known else note(x, out=put(x.ghost.out, n, '')))
    if w.budget.forget and w.keepers == (None, None) and (w.marks or any(n.record.superseded for n in w.names if n.record)):
        emit('person', 'marks and lists forget', forget(w))


def rotated_there(w, name):
    """OpenClaw has refreshed, and nobody but it has seen what came"""
    return any(c in w.ghost.peers and all(x.record is None or not x.record.live == c for x in w.names)
               for c in (name.main, name.agent))


def directory_moves(w, n, name, emit):
    """a mount is away and comes back as it was; others may write to it, or its agents cannot be listed, and it is mended"""
    if name.place != HERE:
        x = set_name(w, n, place=HERE)
        return emit('person', f'directory {n} is back', excuse(x, 'away') if name.place == GONE else x)
    busy = w.openclaw is not None and w.openclaw.name == n or w.login and w.login[1] == n
    if w.budget.gone and not busy:
        x = excuse(w, 'gone') if rotated_there(w, name) else w
        emit('person', f'directory {n} is gone', pay(set_name(x, n, place=GONE), 'gone'))
    if w.budget.unread:
        x = w if w.keepers == (None, None) and not w.receipts and not rotated_there(w, name) else excuse(w, 'unread')
        emit('person', f'directory {n} cannot be read', pay(set_name(x, n, place=UNREAD), 'unread'))


def forget(w):
    """time passes: the list of a record is short, and marks are swept. What no copy shows is not in it any more"""
    shown = {w.tok[generation_of(c)] for n in w.names for c in (n.main, n.agent) if c != ABSENT}
    x, known = pay(w, 'forget')._replace(marks=w.marks & shown), set()
    for n, name in enumerate(w.names):
        if name.record:
            known |= name.record.superseded
            x = set_name(x, n, record=name.record._replace(superseded=name.record.superseded & shown))
    return note(x, received=frozenset(g for g in w.ghost.received if w.tok[g] not in known))


# ---- all moves; what must hold in the end

def moves(w, opt, fail):
    out = []

    def emit(kind, label, x):
        history = w.history | {(n, name.main) for n, name in enumerate(x.names) if name.main != ABSENT}
        out.append((kind, label, x._replace(history=history if x.budget.restore else frozenset())))

    for i in (0, 1):
        Run(w, i, opt, emit, fail).moves()
        courier_moves(w, i, opt, emit, fail)
    server_moves(w, opt, emit, fail)
    openclaw_moves(w, opt, emit)
    person_moves(w, opt, emit)
    return out


QUIET_MOVES = 400  # sends are counted: a run that sends for ever comes to no world twice
UNDISTURBED = ['drop', 'net', 'finish', 'save', 'go', 'hold', 'start']


def quiet(w, opt, memo):
    """nobody disturbs; runs follow each other until nothing changes: the last world, and why it is no end"""
    w = w._replace(budget=Budget(*[0] * len(Budget._fields)), history=frozenset())
    path = {}
    while w not in memo:
        path[w] = True
        possible = [m for m in moves(w, opt, lambda *_: None) if m[0] in UNDISTURBED]
        if not possible:
            memo[w] = (w, None)
            break
        w = min(possible, key=lambda m: UNDISTURBED.index(m[0]))[2]
        if w in path or len(path) > QUIET_MOVES:
            memo[w] = (w, 'runs without end')
            break
    for x in path:
        memo[x] = memo[w]
    return memo[w]


def is_idle(w):
    return w.keepers == w.couriers == (None, None) and not w.openclaw and not w.wire and not w.login


def check_end(w, opt, memo, fail):
    for n, a in enumerate(look(w, 0, EARLY, opt)):
        if a.held_by_name:
            fail('P7', f'{n} is fenced off and waits for another name', 'other name')
    w, stuck = quiet(w, opt, memo)
    if stuck:
        return fail('P5', stuck)
    accounts = look(w, 0, EARLY, opt)
    records = [n.record for n in w.names if n.record]
    if any(a.busy for a in accounts):
        fail('P5', 'busy for ever')
    for r in w.receipts:
        in_sight = all(w.names[n].place == HERE for n in r.names)
        if in_sight and all(r.token != w.tok[record.live] for record in records):
            fail('P5', f'the receipt for {r.token} is never closed')
    out_of_sight = any(n.place != HERE for n in w.names)
    for g in w.ghost.received - w.displaced - {r.answer for r in w.receipts if out_of_sight}:
        if not any(w.tok[g] == w.tok[r.live] or w.tok[g] in r.superseded for r in records):
            fail('P2', f'answer {g} is in no record')
    check_one_login(w, accounts, fail)
    for n, a in enumerate(accounts):
        if not a.recorded or a.place != HERE:
            continue
        live = a.recorded.live
        check_fences(n, a, len(w.par) < opt['generations'], fail)
        works = w.server[w.tok[live]] == 'live'
        for s, c in a.copies if a.verdict == 'none' else ():
            if (is_login(c) and (w.tok[c], w.acc[c]) != (w.tok[live], w.acc[live]) and
                    w.tok[c] not in a.recorded.diverged):
                fail('P4', f'{s} of {n} ends as {c}, live is {live}')
        unknown_fence = any(is_fence(c) and not a.knows(w.tok[c.of]) for _, c in a.copies)
        told = unknown_fence or any(b.place == UNREAD for b in accounts)
        if a.verdict == 'none' and not works and not told and not w.ghost.excuse:
            fail('P4', f'live {live} of {n} does not work, and nobody knows')
        if a.verdict == 'ended' and a.main == live and not w.ghost.out[n] and not w.ghost.excuse:
            fail('P4', f'{n} is reported as logged out though main holds {live}')
        foreign = is_fence(a.main) and not a.knows(w.tok[a.main.of])
        if a.verdict == 'login' and works and not foreign and w.ghost.sent.count(w.tok[live]) < 2:
            fail('P4', f'{n} is reported as lost though {live} works')


def check_one_login(w, accounts, fail):
    """wherever it stands, it is one login, and goes on as one"""
    lives = {a.recorded.live for a in accounts if a.verdict == 'none' and a.recorded}
    for g in lives:
        for h in lives:
            if g < h and w.tok[g] != w.tok[h] and login_of(w, g) == login_of(w, h):
                fail('P4', f'{g} is live under one name, and {h} of the same login under another')


def check_fences(n, a, may_send, fail):
    for s, c in a.copies:
        if not is_fence(c):
            continue
        told = (a.verdict in ('login', 'ended', 'diverged') or a.held_by_name or
                s == 'agent' and not a.knows(a.w.tok[c.of]))
        if not told and (may_send or not a.send):
            fail('P7', f'{s} of {n} ends as {show(c)}, live is {a.recorded.live}, and nobody is told')


OPTIONS = dict(dirs=False, generations=5, rotates=True, older=False, server='rotates', unordered=False, names=1, ledger=True, copies=None,
               forgotten=False, openclaw_is='2026.6', openclaw_fails=False)


def begin(scenario):
    opt = {**OPTIONS, **{k: v for k, v in scenario.items() if k in OPTIONS}}
    budget = Budget(*[scenario.get(f, 0) for f in Budget._fields])
    opt['kills'] = budget.keeper + budget.both
    copies = opt['copies'] or [(0, 0)] * opt['names']
    n = 1 + max(max(pair) for pair in copies)  # one line so far; its last generation is live
    record = Record(n - 1, frozenset(range(n - 1)), n - 1, ABSENT, ABSENT, frozenset(), False, False)
    if opt['forgotten']:  # of the first generation the ledger knows nothing any more
        record = record._replace(superseded=frozenset(range(1, n - 1)), before=n - 2)
    names = tuple(Name(m, a, record if opt['ledger'] is True or opt['ledger'] == [i] else None, frozenset(), None, None)
                  for i, (m, a) in enumerate(copies))
    history = {(i, 0 if opt['forgotten'] else m) for i, (m, _) in enumerate(copies)} if budget.restore else ()
    ghost = Ghost((), frozenset(), frozenset(), frozenset(), '', ('',) * len(names), frozenset())
    w = World(tuple(range(-1, n - 1)), tuple(range(n)), tuple(range(n)), ('spent',) * (n - 1) + ('live',),
              names, (), frozenset(), frozenset(), frozenset(), (None, None), (None, None), None, frozenset(), None, budget,
              frozenset(history), ghost)
    if opt['older']:  # the first one is a login of its own, older than the live one, that a person has yet to save
        names = tuple(name._replace(record=record._replace(superseded=frozenset())) for name in names)
        w = w._replace(par=(ABSENT,) * n, server=('live',) * n, names=names, login=(0, 0, opt['older']))
    return opt, w


def explore(job):
    try:
        return explore_scenario(*job)
    except StopIteration as error:  # which would end the table in silence
        raise RuntimeError(job[0]) from error


def explore_scenario(title, scenario, off, most, stop):
    OFF.clear()
    OFF.update(off)
    opt, w = begin(scenario)
    came_from, queue, memo, bad, limits, began = {w: None}, deque([w]), {}, {}, set(), time.time()
    while queue and len(came_from) < most and not (bad and stop):
        w = queue.popleft()

        def fail(prop, text, limit=''):
            if limit:
                limits.add(f'{prop}: {limit}')
            else:
                bad.setdefault(prop, (w, text))

        following = moves(w, opt, fail)
        if is_idle(w):
            check_end(w, opt, memo, fail)
        elif not following and len(w.par) < opt['generations']:
            fail('P5', 'nobody can move')
        for _, label, x in following:
            if x not in came_from:
                came_from[x] = (w, label)
                queue.append(x)
    traces = {}
    for prop, (w, text) in bad.items():
        trace = ['!! ' + text]
        while came_from[w]:
            w, label = came_from[w]
            trace.append(label)
        traces[prop] = trace[::-1]
    return title, off, len(came_from), bool(queue) and not (bad and stop), time.time() - began, traces, limits


# ---- scenarios. Those in FULL take longer and are left out by --fast.

KEEPS = dict(rotates=False, server='keeps')
TWO = dict(names=2, copies=[(0, ABSENT), (0, ABSENT)])
SCENARIOS = {
    'no faults': dict(openclaw=2, due=2),
    'keeper killed': dict(openclaw=1, due=1, keeper=2),
    'courier or both killed': dict(openclaw=1, due=2, courier=1, both=1),
    'answer lost, not connected': dict(due=1, lost=2, connect=1, both=1),
    'not spent, answer lost': dict(due=2, lost=1, not_spent=1, keeper=1),
    'last try, answers lost': dict(openclaw=1, due=1, last_try=2, lost=2, keeper=1),
    'last try, login': dict(due=1, last_try=2, lost=2, login=1),
    'store locked, keeper killed': dict(openclaw=1, due=1, keeper=1, busy=1),
    'stopped before sending': dict(openclaw=1, due=1, keeper=1, reclaim=1),
    'login': dict(openclaw=1, due=1, login=1),
    'login, keeper killed': dict(due=1, login=1, keeper=1),
    'login, order unknown': dict(openclaw=1, due=1, login=1, unordered=True),
    'restore, keeper killed': dict(openclaw=1, due=1, restore=1, keeper=1),
    'logout, keeper killed': dict(openclaw=1, due=1, logout=1, keeper=1),
    'logout, restore, login': dict(due=1, logout=1, restore=1, login=1),
    'logout, restore of the forgotten': dict(due=1, logout=1, restore=1, copies=[(2, 2)], forgotten=True, keeper=1),
    'forgotten, restore': dict(due=3, restore=1, forget=1),
    'forgotten, restore, login': dict(due=2, restore=1, forget=1, login=1),
    'forgotten, login, OpenClaw': dict(openclaw=1, due=2, login=1, forget=1),
    'keeps its token': dict(openclaw=1, due=1, keeper=1, lost=1, **KEEPS),
    'keeps it unannounced': dict(openclaw=1, due=2, lost=1, keeper=1, server='keeps'),
    'same access token': dict(openclaw=1, due=2, keeper=1, server='rotates beside'),
    'first run': dict(openclaw=1, due=1, keeper=1, ledger=False),
    'first run, agent ahead': dict(openclaw=1, due=1, keeper=1, ledger=False, copies=[(0, 1)]),
    'first run, main ahead': dict(openclaw=1, due=1, keeper=1, ledger=False, copies=[(1, 0)]),
    'two names': dict(openclaw=1, due=1, keeper=1, **TWO),
    'two names, login': dict(due=1, login=1, keeper=1, **TWO),
    'two names, first run': dict(due=2, keeper=2, ledger=False, **TWO),
    'two names, one new and behind': dict(openclaw=1, due=1, keeper=1, names=2, ledger=[0],
                                          copies=[(1, ABSENT), (0, ABSENT)]),
}
NEW = dict(openclaw_is='2026.9')
SCENARIOS |= {
    'fences': dict(openclaw=2, due=2, keeper=1, **NEW),
    'fences, no name resolved': dict(openclaw=1, due=1, dns=1, keeper=2, **NEW),
    'fences, answers lost': dict(openclaw=1, due=1, lost=2, both=1, **NEW),
    'fences, OpenClaw killed': dict(openclaw=2, due=1, openclaw_killed=1, keeper=1, **NEW),
    'fences, not spent, twice': dict(openclaw=1, due=1, dns=1, not_spent=1, lost=1, keeper=1, **NEW),
    'fences, login': dict(openclaw=1, due=1, dns=1, login=1, **NEW),
    'fences, login, OpenClaw killed': dict(openclaw=1, openclaw_killed=1, login=1, **NEW),
    'fences, logout': dict(openclaw=1, due=1, dns=1, logout=1, keeper=1, **NEW),
    'fences, restore': dict(openclaw=1, due=1, dns=1, restore=1, **NEW),
    'fences, agent behind': dict(openclaw=1, due=1, dns=1, lost=2, copies=[(1, 0)], **NEW),
    'fences, keeps its token': dict(openclaw=1, due=1, dns=1, keeper=1, lost=1, **KEEPS, **NEW),
    'fences, first run': dict(openclaw=1, due=1, openclaw_killed=1, keeper=1, ledger=False, **NEW),
    'fences, first run, agent ahead': dict(openclaw=1, due=1, dns=1, ledger=False, copies=[(0, 1)], **NEW),
    'fences, two names': dict(openclaw=1, due=1, dns=1, keeper=1, **NEW, **TWO),
    'fences, two names, lost': dict(openclaw=1, due=1, dns=1, lost=1, **NEW, **TWO),
    'fences, two names, login': dict(openclaw=2, due=1, login=1, openclaw_killed=1, openclaw_fails=True, generations=3,
                                     names=2, copies=[(0, 0), (0, ABSENT)], **NEW),
    'fences, two names, first run': dict(openclaw=1, due=1, openclaw_killed=1, openclaw_fails=True, ledger=False,
                                         **NEW, **TWO),
    'fences, two names, one new': dict(openclaw=1, due=1, openclaw_killed=1, openclaw_fails=True, ledger=[1],
                                       **NEW, **TWO),
}
OLDER = dict(copies=[(1, 1)], generations=4)
SCENARIOS |= {
    'decision after a login': dict(due=1, login=1, choose=1, generations=3),
    'decision after OpenClaw': dict(openclaw=1, due=1, choose=1, generations=4),
    'decision, keeper killed': dict(login=1, choose=1, keeper=1, generations=2),
    'decision and undoing': dict(due=1, login=1, choose=2, generations=3),
    'decision after a refresh': dict(login=1, due=2, choose=2, generations=4),
    'decision, order unknown': dict(login=1, choose=1, unordered=True, generations=3),
    'decision, two names': dict(login=1, choose=1, generations=2, **TWO),
    'older login saved in main': dict(due=1, choose=1, older='main', **OLDER),
    'older login saved in a copy': dict(due=1, choose=1, older='agent', **OLDER),
}
DIRS = dict(dirs=True, names=2, copies=[(0, ABSENT), (0, ABSENT)])
SCENARIOS |= {
    'directories': dict(openclaw=1, due=1, keeper=1, **{**DIRS, 'copies': [(0, 0), (0, ABSENT)]}),
    'directories, both killed': dict(due=1, both=1, keeper=1, **{**DIRS, 'copies': [(0, 0), (0, 0)]}),
    'directories, one gone': dict(openclaw=1, due=1, gone=1, generations=3, **DIRS),
    'directories, one unread': dict(due=1, keeper=1, unread=1, generations=3, **DIRS),
    'directories, one unread, OpenClaw': dict(openclaw=1, due=1, unread=1, generations=3, **DIRS),
    'directories, one alone': dict(openclaw=1, due=1, alone=1, generations=3, **DIRS),
    'directories, each alone': dict(due=1, alone=2, keeper=1, generations=3, **DIRS),
    'directories, login': dict(due=1, login=1, keeper=1, generations=3, **DIRS),
    'directories, a decision': dict(login=1, choose=2, generations=3, **{**DIRS, 'copies': [(0, 0), (0, ABSENT)]}),
    'directories, one new and behind': dict(openclaw=1, due=1, ledger=[0], **{**DIRS, 'copies': [(1, ABSENT), (0, ABSENT)]}),
}
FULL = {
    'directories, gone, killed': dict(openclaw=1, due=1, keeper=1, gone=1, **DIRS),
    'directories, unread, killed': dict(openclaw=1, due=1, keeper=1, unread=1, **DIRS),
    'directories, gone and unread': dict(openclaw=1, due=2, gone=1, unread=1, generations=4, **DIRS),
    'directories, alone, killed': dict(openclaw=1, due=1, alone=1, keeper=1, **DIRS),
    'directories, alone, gone': dict(openclaw=1, due=1, alone=1, gone=1, **DIRS),
    'directories, each alone, both killed': dict(due=2, alone=2, both=1, generations=4, **DIRS),
    'directories, logout, login': dict(due=1, logout=1, login=1, keeper=1, generations=3, **DIRS),
    'directories, fences': dict(openclaw=1, due=1, dns=1, keeper=1, **NEW, **DIRS),
    'directories, a decision, killed': dict(login=1, choose=2, keeper=1, due=1, generations=3, **DIRS),
    'directories, older login': dict(due=1, choose=1, older='main', dirs=True, names=2, copies=[(1, ABSENT), (1, ABSENT)],
                                     generations=4),
    'decision, lost, both killed': dict(due=2, login=1, lost=1, both=1, choose=1, generations=4),
    'decision, due, keeper killed twice': dict(due=1, login=1, choose=2, keeper=2, generations=3),
    'decision, fences': dict(openclaw=1, due=1, dns=1, login=1, choose=1, generations=4, **NEW),
    'decision, logout, restore': dict(login=1, logout=1, restore=1, choose=1, due=1, generations=3),
    'decision, forgotten': dict(login=1, due=2, choose=1, forget=1, generations=4),
    'decision, two names, undoing': dict(login=1, choose=2, keeper=1, due=1, generations=3, **TWO),
    'older login, OpenClaw, killed': dict(openclaw=1, due=1, choose=1, keeper=1, older='main', **OLDER),
    'keeper killed three times': dict(openclaw=1, due=2, keeper=3),
    'OpenClaw, keeper killed, lost': dict(openclaw=2, due=2, keeper=2, lost=1),
    'login, OpenClaw, keeper killed': dict(openclaw=1, due=1, login=1, keeper=2),
    'login, lost, both killed': dict(due=1, login=1, lost=1, both=1, keeper=1),
    'two logins, keeper killed': dict(due=1, login=2, keeper=1),
    'two logins, OpenClaw': dict(openclaw=1, due=1, login=2),
    'restore, login, keeper killed': dict(due=1, restore=1, login=1, keeper=1),
    'logout, restore, login, killed': dict(due=1, logout=1, restore=1, login=1, keeper=1),
    'keeps, login, both killed': dict(openclaw=1, due=1, login=1, both=1, **KEEPS),
    'first run, login, keeper killed': dict(openclaw=1, due=1, keeper=1, login=1, ledger=False),
    'two names, courier or both killed': dict(openclaw=1, due=1, courier=1, both=1, names=2),
    'two names, login, OpenClaw, killed': dict(openclaw=1, due=1, login=1, keeper=1, **TWO),
    'two names, keeper killed twice': dict(openclaw=1, due=1, keeper=2, names=2),
    'two names, logout, restore, login': dict(due=1, logout=1, restore=1, login=1, **TWO),
}
PROPERTIES = ['P1', 'P1o', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9']
MOST = 4_000_000  # states of one scenario


def table(pool, scenarios, off, trace):
    began, failed = time.time(), 0
    print(f'{"scenario":36}{"states":>8}{"s":>6}  ' + ' '.join(f'{p:>4}' for p in PROPERTIES) + '  limits met')
    for title, _, n, cut, s, bad, limits in pool.imap(explore, [(t, c, off, MOST, False) for t, c in scenarios]):
        failed += len(bad) + cut
        cells = ' '.join(f'{"FAIL" if p in bad else "ok":>4}' for p in PROPERTIES)
        print(f'{title:36}{n:>8}{s:6.1f}  {cells}  {"NOT FINISHED " if cut else ""}{", ".join(sorted(limits))}',
              flush=True)
        for prop, steps in bad.items() if trace else ():
            print(f'  {prop}:\n    ' + '\n    '.join(steps))
    print(f'{time.time() - began:.0f} s, {f"{failed} FAILED" if failed else "everything holds"}')
    return 1 if failed else 0


def mutants(pool, scenarios, rules):
    began, alive = time.time(), list(rules)
    for title, scenario in scenarios:
        jobs = [(title, scenario, frozenset([rule]), MOST, True) for rule in alive]
        for _, (rule,), _, _, _, bad, _ in pool.imap_unordered(explore, jobs):
            for prop, steps in list(bad.items())[:1]:
                alive.remove(rule)
                print(f'{rule:32}{prop:4} in "{title}": {steps[-1][3:]}', flush=True)
    for rule in alive:
        print(f'{rule:32}SURVIVES: no scenario needs it')
    print(f'{time.time() - began:.0f} s, {len(rules) - len(alive)} of {len(rules)} rules proved necessary')
    return 1 if alive else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--fast', action='store_true', help='only the scenarios that take seconds')
    p.add_argument('--only', default='', metavar='TEXT', help='scenarios whose name contains it')
    p.add_argument('--trace', action='store_true', help='the shortest trace of every violation')
    p.add_argument('--without', action='append', choices=RULES, metavar='RULE', help='switch a rule off')
    p.add_argument('--mutants', action='store_true', help='rules off one at a time (all, or those of --without)')
    p.add_argument('--rules', action='store_true', help='list the rules')
    p.add_argument('--jobs', type=int, default=2)
    a = p.parse_args()
    if a.rules:
        print('\n'.join(f'{rule:32}{what}' for rule, what in RULES.items()))
        return 0
    scenarios = [(t, s) for t, s in {**SCENARIOS, **({} if a.fast else FULL)}.items() if a.only in t]
    with Pool(a.jobs) as pool:
        if a.mutants:
            return mutants(pool, scenarios, a.without or list(RULES))
        return table(pool, scenarios, frozenset(a.without or ()), a.trace)


if __name__ == '__main__':
    sys.exit(main())
