"""Mutants of the product: it with one thing broken, in the test build only. A chaos run is to break on each of them.

A name with a `+` has two changes: one layer and the one behind it. Where a single change breaks nothing because of the
layer behind it, `harmless` says which; the product must hold with it, and break without both.
"""

from __future__ import annotations

from typing import Any

from loadtest.chaos.mutants import carriers, groups, reading, rules, sinking, transactions
from loadtest.chaos.mutants.change import SINK, WORKER, Change, Mutant
from pipeline.errors import SettingsError

VARIABLE = "HOLDFAST_MUTANT"

_CHANGES = {
    "no-membership-check": Change(WORKER, groups.no_membership_check),
    "random-transactional-id": Change(WORKER, groups.random_transactional_id),
    "zombie-commits": Change(WORKER, groups.zombie_commits),
    "keeps-tables": Change(WORKER, groups.keeps_tables),
    "offsets-after-outputs": Change(WORKER, transactions.offsets_after_outputs),
    "offsets-before-outputs": Change(WORKER, transactions.offsets_before_outputs),
    "produce-outside-transaction": Change(WORKER, transactions.events_outside_transaction),
    "commit-unknown-is-success": Change(WORKER, transactions.unknown_is_success),
    "keeps-epoch": Change(WORKER, transactions.keeps_epoch),
    "read-uncommitted": Change(WORKER, reading.consumer_reads_uncommitted),
    "restore-uncommitted": Change(WORKER, reading.restore_reads_uncommitted),
    "restore-without-require-stable": Change(WORKER, reading.restore_without_require_stable),
    "restore-skips-last": Change(WORKER, reading.restore_skips_last),
    "restore-stops-early": Change(WORKER, reading.restore_stops_early),
    "tables-not-restored": Change(WORKER, reading.tables_not_restored),
    "no-torn-check": Change(WORKER, reading.no_torn_check),
    "no-checkpoint-check": Change(WORKER, reading.no_checkpoint_check),
    "no-checkpoint-at-offset": Change(WORKER, reading.no_checkpoint_at_offset),
    "reads-twice": Change(WORKER, reading.reads_twice),
    "resumes-early": Change(WORKER, reading.resumes_early),
    "dedup-seen-before": Change(WORKER, rules.marks_orders_first),
    "dedup-drops-repeats": Change(WORKER, rules.drops_repeats),
    "redis-as-truth": Change(WORKER, rules.asks_redis),
    "personal-evidence": Change(WORKER, rules.personal_evidence),
    "hold-ignores-held": Change(WORKER, rules.ignores_what_is_held),
    "unchecked-balances": Change(WORKER, rules.unchecked_balances),
    "releases-twice": Change(WORKER, rules.releases_twice),
    "clock-in-decision": Change(WORKER, rules.decides_by_the_clock),
    "random-event-ids": Change(WORKER, rules.random_event_ids),
    "events-by-chance": Change(WORKER, rules.events_by_chance),
    "drops-bad-records": Change(WORKER, rules.drops_bad_records),
    "logs-records": Change(WORKER, rules.logs_records),
    "keeps-everything": Change(WORKER, rules.keeps_everything),
    "carrier-new-key": Change(WORKER, carriers.new_key_for_a_retry),
    "carrier-unknown-is-failure": Change(WORKER, carriers.unknown_is_refused),
    "carrier-without-query": Change(WORKER, carriers.create_again_without_query),
    "sink-without-offset-probe": Change(SINK, sinking.no_offset_probe),
    "rows-never-merge": Change(SINK, sinking.rows_never_merge),
    "sink-commits-before-insert": Change(SINK, sinking.commits_before_insert),
}
"""Every change, by the name of the mutant that has it alone."""

KILLS = ("worker-kill", "failpoint:commit.before")
"""At any moment, and with a transaction open: its records are at the broker, and are never committed."""
GROUP_REFUSES = (
    "the group takes no offsets from a former membership (KIP-447), and a restore waits up to 30 s for a dead worker's "
    "transaction, which times out after 10; only where its markers take longer, as the simulator tries, a start is "
    "refused"
)
GOES_ON_FROM_CHECKPOINT = (
    "a worker goes on from its tables' own checkpoint, whatever the group's offset says; the two differ while the "
    "markers of a dead worker's commit are on their way, for milliseconds here, for longer in the simulator"
)
ROWS_MERGE = "ClickHouse merges equal rows, mostly before anybody looks"
CARRIER_KNOWS = "the key is the same, so the carrier itself refuses the second order (8016)"
STARTS_ANEW = "whoever lost a partition without noticing has a transaction that the broker refuses, and starts anew"
NOTHING_TORN = "a new epoch after every slow commit keeps late requests out of the next transaction"


def _mutant(name: str, shown_by: str, *faults: str, **more: Any) -> Mutant:  # noqa: ANN401  fields of Mutant
    changes = tuple(_CHANGES[part] for part in name.split("+"))
    return Mutant(name, changes, tuple(shown_by.split()), faults, **more)


_ALL = (
    _mutant("no-membership-check", "I6", "zombie", simulated="no_group_metadata", faults_min=8),
    _mutant(
        "random-transactional-id",
        "I10",
        "zombie",
        "failpoint:commit.before",
        harmless=GROUP_REFUSES,
        simulated="random_transactional_id",
    ),
    _mutant("no-membership-check+random-transactional-id", "I6", "zombie"),
    _mutant("zombie-commits", "I6", "zombie", "rebalance-storm", simulated="commit_after_the_rebalance"),
    _mutant("keeps-tables", "I8 I3", "zombie", harmless=STARTS_ANEW, simulated="kept_tables_are_trusted"),
    _mutant(
        "commit-unknown-is-success",
        "I4 I6",
        "zombie",
        "broker-kill",
        "net-blackhole",
        simulated="unknown_outcome_is_success",
    ),
    _mutant("commit-unknown-is-success+keeps-tables", "I4 I6 I8", "zombie", "broker-kill", "net-blackhole"),
    _mutant("keeps-epoch", "I10 I6", "net-endtxn", simulated="no_new_epoch_after_a_repeated_commit"),
    _mutant("keeps-epoch+no-torn-check", "I6 I8", "net-endtxn"),
    _mutant("no-torn-check", "I8", "net-endtxn", harmless=NOTHING_TORN, simulated="torn_changelogs_are_taken"),
    _mutant("offsets-after-outputs", "I6 I10", "failpoint:commit.after", simulated="offsets_outside_the_transaction"),
    _mutant("offsets-before-outputs", "I4 I10", "failpoint:commit.before"),
    _mutant("offsets-after-outputs+no-checkpoint-at-offset", "I6 I8", "failpoint:commit.after"),
    _mutant("produce-outside-transaction", "I6", *KILLS),
    _mutant("read-uncommitted", "I6 I3", *KILLS, simulated="read_uncommitted"),
    _mutant("restore-uncommitted", "I10", *KILLS, simulated="restore_uncommitted"),
    _mutant("restore-without-require-stable", "I6", "zombie-in-commit", simulated="unstable_offsets", faults_min=12),
    _mutant("restore-skips-last", "I8 I3 I1", *KILLS),
    _mutant("restore-stops-early", "I10", *KILLS),
    _mutant("tables-not-restored", "I3 I8", *KILLS),
    _mutant("no-checkpoint-check", "I6", "offsets-moved", harmless=GOES_ON_FROM_CHECKPOINT, simulated="no_checkpoint"),
    _mutant("no-checkpoint-at-offset", "I6", "offsets-moved"),
    _mutant("restore-stops-early+no-checkpoint-check", "I6", *KILLS),
    _mutant("restore-stops-early+no-checkpoint-at-offset", "I8 I3", *KILLS),
    _mutant("reads-twice", "I6", *KILLS),
    _mutant("resumes-early", "I10", *KILLS),
    _mutant("dedup-seen-before", "I10 I4", *KILLS, simulated="marker_before_output"),
    _mutant("dedup-seen-before+no-torn-check", "I4", *KILLS),
    _mutant("dedup-drops-repeats", "I4"),
    _mutant("redis-as-truth", "I4 I3", *KILLS, "redis-flush"),
    _mutant("personal-evidence", "I12"),
    _mutant("hold-ignores-held", "I10"),
    _mutant("hold-ignores-held+unchecked-balances", "I2"),
    _mutant("releases-twice", "I1 I8 I2"),
    _mutant("clock-in-decision", "I14"),
    _mutant("random-event-ids", "I6 I14"),
    _mutant("events-by-chance", "I7"),
    _mutant("drops-bad-records", "I4", "hostile"),
    _mutant("logs-records", "I12"),
    _mutant("keeps-everything", "I11"),
    _mutant("carrier-new-key", "I5", "carrier-errors", "carrier-lost"),
    _mutant("carrier-unknown-is-failure", "I5", "carrier-lost"),
    _mutant("carrier-without-query", "I5", "carrier-lost", harmless=CARRIER_KNOWS),
    _mutant("carrier-without-query+carrier-new-key", "I5", "carrier-lost"),
    _mutant("sink-without-offset-probe", "I9", "sink-kill", harmless=ROWS_MERGE),
    _mutant("sink-without-offset-probe+rows-never-merge", "I9", "sink-kill"),
    _mutant("sink-commits-before-insert", "I9", "sink-kill"),
)

MUTANTS = {mutant.name: mutant for mutant in _ALL}


def find(name: str) -> Mutant:
    """Give a mutant by its name. Raises SettingsError."""
    if name not in MUTANTS:
        message = f"no mutant is called {name!r}; there are {', '.join(MUTANTS)}"
        raise SettingsError(message)
    return MUTANTS[name]


def apply(name: str, process: str) -> None:
    """Make a mutant's changes to this process, if they are to its kind. Raises SettingsError, SetupError."""
    for change in find(name).changes:
        if change.process == process:
            change.make()
