"""The README's buttons, which open the portal's form for this template."""

from urllib.parse import quote

import yaml

from deployment.template import FOLDER

_CLOUDS = {
    "Deploy to Azure": ("https://portal.azure.com", "https://aka.ms/deploytoazurebutton"),
    "Deploy to Azure US Government": ("https://portal.azure.us", "https://aka.ms/deploytoazuregovbutton"),
}


def buttons() -> str:
    """Both buttons as Markdown, one a line."""
    release = yaml.safe_load((FOLDER / "release.yaml").read_text(encoding="utf-8"))
    raw = f"https://raw.githubusercontent.com/{release['repository']}/{release['branch']}"
    template, form = (
        quote(f"{raw}/{file}", safe="") for file in ("azuredeploy.json", "createUiDefinition.json")
    )
    return "\n".join(
        f"[![{label}]({image})]({portal}/#create/Microsoft.Template/uri/{template}/createUIDefinitionUri/{form})"
        for label, (portal, image) in _CLOUDS.items()
    )
