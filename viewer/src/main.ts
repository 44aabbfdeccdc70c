/** The page's beginning: puts the shell up at once and opens the link while the renderer loads. */

import { deviceProfile, rendererName, type DeviceProfile } from "./device/profiles";
import { DeferredEvents } from "./protocol/deferredEvents";
import { Failure, parseLink, type Link, type SceneSummary } from "./protocol/link";
import { SceneStream } from "./protocol/sceneStream";
import { Hud } from "./ui/hud";
import { STRINGS } from "./ui/strings";
import type { Travel, Visit } from "./visit";

const canvas = find("#scene", HTMLCanvasElement);
canvas.setAttribute("aria-label", STRINGS.canvas);
const query = new URLSearchParams(location.search);
const profile = chooseProfile();
const streamOptions = { maxSplats: profile.maxSplats, maxShDegree: profile.maxShDegree, host: location };

let visit: Visit | undefined;
const hud = new Hud(find("#hud", HTMLElement), {
  recentre: () => visit?.recentre(),
  toggleSound: () => visit?.toggleSound(),
  toggleMovement: () => visit?.toggleMovement(),
  enterXr: (mode) => void visit?.enterXr(mode),
  retry: () => location.reload(),
});

window.addEventListener("error", (event) => fail(event.error ?? event.message));
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
// A link pasted over another changes only the fragment, which loads nothing by itself.
window.addEventListener("hashchange", () => location.reload());

const link = parseLink(location);
if (link) begin(link).catch(fail);
else fail(new Failure("no_link"));

async function begin(link: Link): Promise<void> {
  const loading = import("./visit");
  loading.catch(() => undefined); // told below, unless the link fails first
  const { stream, scene, events } = await open(link);
  hud.setScene(scene);
  hud.setWaiting(STRINGS.loadingRenderer);
  const { Visit } = await loading.catch((error: unknown) => {
    throw new Failure("unreachable", String(error));
  });
  const travel: Travel = (target, events) => new SceneStream({ ...link, scene: target }, events, streamOptions);
  visit = new Visit({ canvas, hud, stream, scene, profile, travel, fail });
  events.attach(visit);
}

interface Opened {
  readonly stream: SceneStream;
  readonly scene: SceneSummary;
  readonly events: DeferredEvents;
}

/** Open the link; the first chunks may come before there is anything to draw them with. */
async function open(link: Link): Promise<Opened> {
  return new Promise((resolve) => {
    const events = new DeferredEvents({ opened: (scene) => resolve({ stream, scene, events }), failed: fail });
    const stream = new SceneStream(link, events, streamOptions);
    stream.start();
  });
}

function chooseProfile(): DeviceProfile {
  const { userAgent, maxTouchPoints } = navigator;
  // Tests look at whole scenes, on whatever draws them.
  const renderer = query.has("debug") ? "" : rendererName();
  const chosen = deviceProfile({ userAgent, maxTouchPoints, renderer });
  const maxSplats = Number(query.get("splats"));
  return Number.isInteger(maxSplats) && maxSplats > 0 ? { ...chosen, maxSplats } : chosen;
}

function fail(error: unknown): void {
  hud.fail(error instanceof Failure ? error : new Failure("page_broken", String(error)));
}

function find<Kind extends Element>(selector: string, kind: new () => Kind): Kind {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the page must hold ${selector}`);
  return found;
}
