"""The image that is looked at, with one detector's report on it."""

from __future__ import annotations

from dataclasses import dataclass

from authentiscan.analysis import Report
from authentiscan.explain import Target
from authentiscan.inference import Detector
from authentiscan.serving.app.details import Detail, detail
from authentiscan.serving.app.settings import Settings
from authentiscan.serving.app.state import Session, Upload


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """place: of the image in the session. name: the detector's, as it is offered."""

    place: int
    name: str
    detector: Detector
    report: Report
    session: Session
    settings: Settings

    @property
    def upload(self) -> Upload:
        """The file."""
        return self.session.images[self.place]

    def key(self, widget: str) -> str:
        """A widget's key, its own for each image and detector."""
        return f"{widget}-{self.place}-{self.name}"

    def detail(self, target: Target = "generated") -> Detail:
        """Views of the image, kept for the images looked at last."""
        key = (self.place, self.name, target)
        found = self.session.details.get(key)
        if found is None:
            made = detail(self.upload.content, self.detector, target, self.settings.limits)
            found = self.session.keep(key, made)
        return found
