"""``duebell policy check``: lint the policy and its templates over the books that the ledger knows."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from deployments.terminal import complain, make_console
from duebell.clock import system_clock
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger.engine import ledger_that_is_there
from duebell.lint.checking import Checked, check
from duebell.lint.findings import Grade, LintFinding
from duebell.policy_file.policy import content_of, read_policy
from duebell.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="Look after the policy.")

SOUND, TO_MEND, NOT_CHECKED = 0, 1, 2


@app.callback()
def policy() -> None:
    """Look after the policy."""


@app.command("check")
def policy_check(
    file: Annotated[Path | None, typer.Argument(help="a policy; without it, the one in force")] = None,
) -> None:
    """Say what is wrong in the policy and the templates, each with its line and its mend.

    Every message that could be is made of every invoice in the ledger, and nothing is sent. It ends with 1
    where something is to be mended, with 0 where there are hints at most, and with 2 where it cannot look.
    """
    console = make_console()
    try:
        raise typer.Exit(main(console, load(), file))
    except (ConfigurationError, DuebellError) as error:
        complain(console, error)
        raise typer.Exit(NOT_CHECKED) from error


def main(console: Console, settings: Settings, file: Path | None) -> int:
    """Check and print; the exit code. Raises ``ConfigurationError`` where there is nothing to look at."""
    path = file or settings.policy
    content = content_of(path)
    if content is None:
        raise ConfigurationError(f"{path} cannot be read: name a policy, or set DUEBELL_POLICY")
    if not settings.templates.is_dir():
        raise ConfigurationError(f"{settings.templates} is no folder: set DUEBELL_TEMPLATES")
    try:
        found = read_policy(content, path)
    except ConfigurationError as wrong:
        complain(console, wrong)
        console.print("The rest is looked at once this is mended.")
        return TO_MEND
    engine = ledger_that_is_there(settings.database_url.get_secret_value())
    try:
        text = content.decode("utf-8-sig")
        checked = check(text, path.name, found, settings.templates, engine, system_clock())
    finally:
        if engine is not None:
            engine.dispose()
    _show(console, checked, has_ledger=engine is not None)
    return TO_MEND if checked.graded(Grade.MEND) else SOUND


def _show(console: Console, checked: Checked, *, has_ledger: bool) -> None:
    for one in checked.findings:
        console.print(_line(one))
    over = f"{checked.invoices} invoices of the ledger" if has_ledger else "no ledger yet"
    mends, hints = checked.graded(Grade.MEND), checked.graded(Grade.HINT)
    end = f"{mends} to mend, {hints} hints" if mends or hints else "Nothing to mend"
    said = f"{end} ({checked.messages} messages made, of {over} and of invented ones)."
    console.print(Text(said, "bold red" if mends else "bold green"))


def _line(one: LintFinding) -> Text:
    colour = "red" if one.grade is Grade.MEND else "yellow"
    where = f"{one.file} line {one.line}" if one.line else one.file
    return Text.assemble((f"{one.grade.value:<5}", colour), (where, "bold"), f": {one.said}")
