"""All checks of a Bicep file: each takes the file and returns what is wrong with it, a line each."""

from collections.abc import Callable

from tests.infra.bicep import bodies, leaks, modules, rules, symbols, timing
from tests.infra.bicep.declarations import Template

CHECKS: tuple[Callable[[Template], list[str]], ...] = (
    symbols.undefined_names,
    symbols.unused_declarations,
    symbols.wrong_calls,
    symbols.unguarded_fails,
    symbols.unknown_decorators,
    timing.late_values,
    timing.unreachable_names,
    timing.misplaced_loops,
    bodies.misfitting_bodies,
    bodies.unknown_reads,
    modules.wrong_module_calls,
    modules.unknown_outputs,
    leaks.secret_outputs,
    leaks.bared_secrets,
    leaks.written_out_secrets,
    rules.unversioned_resources,
    rules.misplaced_resources,
    rules.wrong_role_assignments,
    rules.undescribed_params,
)
