/* A bookmark: click it, then click an image of the page. The image goes to authentiscan on this
   machine (authentiscan serve --bookmark), and the verdict is shown beside the mouse. */
(() => {
  const server = "http://127.0.0.1:8000";
  const box = document.createElement("div");
  box.id = "authentiscan-bookmark";
  box.setAttribute("role", "status");
  box.style.cssText =
    "position:fixed;right:16px;bottom:16px;max-width:26em;padding:12px 16px;z-index:2147483647;" +
    "font:15px/1.4 system-ui,sans-serif;color:#fff;background:#222;border:2px solid #fff;" +
    "border-radius:8px;box-shadow:0 2px 12px #0008;white-space:pre-wrap;cursor:pointer";
  const say = (text) => { box.textContent = text; };
  const last = document.getElementById(box.id);
  if (last) last.remove();
  document.body.append(box);
  say("authentiscan: click an image (Escape ends)");

  const end = () => {
    document.removeEventListener("click", picked, true);
    document.removeEventListener("keydown", pressed, true);
    document.documentElement.style.cursor = "";
  };
  const pressed = (event) => { if (event.key === "Escape") { end(); box.remove(); } };
  const under = (event) => document.elementsFromPoint(event.clientX, event.clientY)
    .find((element) => element instanceof HTMLImageElement);

  async function bytes(image) {
    const address = image.currentSrc || image.src;
    try {
      const answer = await fetch(address, { credentials: "include", cache: "force-cache" });
      if (answer.ok) return await answer.blob();
    } catch { /* another site's image, which only a second try without cookies may read */ }
    const answer = await fetch(address, { credentials: "omit" });
    if (!answer.ok) throw new Error("status " + answer.status);
    return answer.blob();
  }

  async function judge(image) {
    say("authentiscan: reading the image …");
    let file;
    try { file = await bytes(image); } catch {
      return say("authentiscan: this page does not let the image be read.\n" +
        "Save it, and give the file to: authentiscan scan FILE");
    }
    const form = new FormData();
    form.append("file", file, "image");
    say("authentiscan: judging …");
    let answer;
    try { answer = await fetch(server + "/v1/scan", { method: "POST", body: form }); } catch {
      return say("authentiscan: no answer from " + server + ".\nIs it running? " +
        "authentiscan serve --bookmark\nOr this page forbids to talk to your machine.");
    }
    const told = await answer.json();
    if (!answer.ok) return say("authentiscan: " + told.detail);
    const report = told.reports[0];
    box.dataset.verdict = report.verdict;
    const notes = report.warnings.map((warning) => "\n– " + warning.message).join("");
    say(report.verdict.toUpperCase() + "  (score " + report.score.toFixed(3) + ")\n" +
      report.reason + notes);
  }

  const picked = (event) => {
    if (event.target === box) return;
    const image = under(event);
    if (!image) return;
    event.preventDefault();
    event.stopPropagation();
    end();
    judge(image);
  };
  box.addEventListener("click", () => { end(); box.remove(); });
  document.documentElement.style.cursor = "crosshair";
  document.addEventListener("click", picked, true);
  document.addEventListener("keydown", pressed, true);
})();
