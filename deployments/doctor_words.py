"""Doctor's lines on the words: every template that there is, and those that the policy asks for in vain."""

from deployments.findings import Finding
from duebell.errors import TemplateProblem
from duebell.policy.reaching import EMAIL
from duebell.render.template_folders import NEEDED, TemplateFolder, team_template
from duebell.render.wording import TEAMS_VALUES, VALUES
from duebell.render.words_wanted import Wanted, wanted_of
from duebell.resources import Resources


def look(resources: Resources) -> list[Finding]:
    """Hold every template against what it may say, and the folder against what the policy asks for."""
    templates, folders = resources.templates, resources.templates.folders()
    if problems := [one for folder in folders for one in _problems(resources, folder)]:
        return [Finding("words", one, sound=False) for one in problems]
    languages = sorted({folder.language for folder in folders})
    findings = [
        Finding("words", f"{len(folders)} folders of templates can be said, in {', '.join(languages)}")
    ]
    findings += _missing(resources)
    kinds = {*VALUES, *map(team_template, TEAMS_VALUES)}
    foreign = [one for one in templates.strays() if one.split("/", 1)[0] in kinds]
    if foreign:
        findings.append(Finding("words", _in_vain(foreign), sound=False))
    return findings


def _problems(resources: Resources, folder: TemplateFolder) -> list[str]:
    found: list[str] = []
    for part in folder.parts:
        try:
            resources.templates.check(folder.name, part)
        except TemplateProblem as problem:
            found.append(str(problem))
    return found


def _in_vain(files: list[str]) -> str:
    parts = ", ".join(part for needed in NEEDED.values() for part in needed)
    return (
        f"nothing is made from {', '.join(files[:4])}: a template is one of {parts}, in the folder of its "
        "language, such as invoice_issued/en"
    )


def _missing(resources: Resources) -> list[Finding]:
    """What the policy asks for and is not there: said in the default language, or not at all."""
    findings: list[Finding] = []
    for one in wanted_of(resources.policy):
        if one.channel == EMAIL and not resources.settings.sends_email:
            continue
        tongue = resources.templates.tongue_of(one.template, one.channel, one.language, one.default)
        if not all(resources.templates.has_part(f"{one.template}/{tongue.language}", part)
                   for part in NEEDED[one.channel]):  # fmt: skip
            findings.append(
                Finding("words", f"{_called(one)} cannot be said: {_mend(one, one.default)}", sound=False)
            )
        elif not tongue.is_wanted:
            said = f"{_called(one)} is said in {tongue.language}: there is no {_mend(one, one.language)}"
            findings.append(Finding("words", said))
    return findings


def _called(one: Wanted) -> str:
    return f"{one.template} by {one.channel} in {one.language}"


def _mend(one: Wanted, language: str) -> str:
    return " with ".join([f"{one.template}/{language}", " and ".join(NEEDED[one.channel])])
