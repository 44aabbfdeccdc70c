/** The page's beginning: puts the shell up at once and opens the link while the renderer loads. */

import { deviceProfile, rendererName, type DeviceProfile } from "./device/profiles";
import { keepQuality, keptQuality } from "./device/quality";
import { DeferredEvents } from "./protocol/deferredEvents";
import { openWhenGrown, watchGrowth } from "./protocol/growth";
import { Failure, parseLink, type Link, type SceneSummary } from "./protocol/link";
import { SceneStream, type ChunkStream } from "./protocol/sceneStream";
import { StaticStream } from "./protocol/staticStream";
import { loadSparkWasm } from "./render/sparkWasm";
import { editScene, pairingCode, redeemCode, remixScene, reportScene, type SceneChange } from "./share/actions";
import { Hud } from "./ui/hud";
import { STRINGS, speak } from "./ui/strings";
import type { Travel, Visit } from "./visit";

const canvas = find("#scene", HTMLCanvasElement);
const query = new URLSearchParams(location.search);
const profile = chooseProfile();
const streamOptions = {
  maxSplats: profile.maxSplats,
  maxShDegree: profile.maxShDegree,
  host: location,
  openLink: (link: Link) => openWhenGrown(link, (state, title) => hud.showGrowth(state, title)),
};

/** Written by `immersive publish`: the scene lies beside the page. */
const isStatic = document.querySelector('meta[name="immersive-static"]') !== null;

let visit: Visit | undefined;
let hud: Hud;
const link = parseLink(location);
/** Glasses that can only show pictures; a plain host has nobody to draw them. */
const isHeadUp = query.get("view") === "headup" && !isStatic;

void speak().then(start);

function start(): void {
  canvas.setAttribute("aria-label", STRINGS.canvas);
  hud = new Hud(find("#hud", HTMLElement), {
    recentre: () => visit?.recentre(),
    toggleSound: () => visit?.toggleSound(),
    people: { toggle: () => visit?.togglePeople(), say: (text) => visit?.saySomething(text) },
    toggleMovement: () => visit?.toggleMovement(),
    quality: {
      chosen: keptQuality,
      choose: (quality) => {
        keepQuality(quality);
        visit?.chooseQuality(quality);
      },
    },
    enterXr: (mode) => void visit?.enterXr(mode),
    retry: () => location.reload(),
    pair: () => act(async (link) => hud.say(STRINGS.pairCode(await pairingCode(link), location.host), 60_000)),
    remix: () =>
      act(async (link, scene) => {
        hud.say(STRINGS.remixing, 60_000);
        location.assign(await remixScene(link, scene));
      }),
    edit: { save: (change) => save(change), beginHere: () => visit && save({ spawn: visit.standing }) },
    report: async (report) => {
      if (!link || !visit) throw new Failure("no_link");
      return reportScene(link, visit.place.id, report);
    },
  }, !isStatic);

  window.addEventListener("error", (event) => fail(event.error ?? event.message));
  window.addEventListener("unhandledrejection", (event) => fail(event.reason));
  // A link pasted over another changes only the fragment, which loads nothing by itself.
  window.addEventListener("hashchange", () => location.reload());

  if (isHeadUp && link) import("./headup/headUp").then(({ HeadUp }) => new HeadUp(link, query)).catch(fail);
  else if (isStatic) begin(undefined).catch(fail);
  else if (link) begin(link).catch(fail);
  else if (location.pathname === "/pair") askForCode();
  else fail(new Failure("no_link"));
}

async function begin(link: Link | undefined): Promise<void> {
  const loading = Promise.all([import("./visit"), loadSparkWasm()]);
  loading.catch(() => undefined); // told below, unless the link fails first
  const { stream, scene, events } = await open(link);
  hud.setScene(scene);
  hud.setWaiting(STRINGS.loadingRenderer);
  const [{ Visit }] = await loading.catch((error: unknown) => {
    throw new Failure("unreachable", String(error));
  });
  const travel: Travel = (target, events) =>
    link ? new SceneStream({ ...link, scene: target }, events, streamOptions) : new StaticStream(events, profile.maxSplats);
  visit = new Visit({ canvas, hud, stream, scene, profile, quality: keptQuality(), travel, fail });
  events.attach(visit);
  // That it cannot be asked for is no reason to end the visit.
  if (link && scene.is_growing) watchGrowth(link, (state, title) => hud.showGrowth(state, title)).catch(() => hud.showGrowth(undefined, ""));
}

interface Opened {
  readonly stream: ChunkStream;
  readonly scene: SceneSummary;
  readonly events: DeferredEvents;
}

/** Open the link; the first chunks may come before there is anything to draw them with. */
async function open(link: Link | undefined): Promise<Opened> {
  return new Promise((resolve) => {
    const opened = (scene: SceneSummary): void => {
      hud.endAsking();
      resolve({ stream, scene, events });
    };
    const failed = (failure: Failure): void => {
      if (link && failure.code === "link_password") askForPassword(link, (password) => resolve(open({ ...link, password })));
      else fail(failure);
    };
    const events = new DeferredEvents({ opened, failed });
    const stream = link ? new SceneStream(link, events, streamOptions) : new StaticStream(events, profile.maxSplats);
    stream.start();
  });
}

function askForPassword(link: Link, submit: (password: string) => void): void {
  const problem = link.password === undefined ? "" : STRINGS.passwordWrong;
  hud.ask({ kind: "password", words: STRINGS.passwordGate, problem, submit });
}

function askForCode(problem = ""): void {
  const submit = (code: string): void => {
    redeemCode(code).then(
      (path) => location.replace(path),
      (error: unknown) => {
        const code = error instanceof Failure ? error.code : "page_broken";
        if (code === "link_unknown") askForCode(STRINGS.codeWrong);
        else if (code === "too_many_requests") askForCode(STRINGS.codeTooOften);
        else fail(error);
      },
    );
  };
  hud.ask({ kind: "code", words: STRINGS.codeGate, problem, submit });
}

/** Do what the link allows with the place the visitor is in; a failure is said and ends nothing. */
function act(action: (link: Link, scene: string) => Promise<void>): void {
  if (!link || !visit) return;
  action(link, visit.place.id).catch((error: unknown) => hud.say(STRINGS.actionFailed(String(error)), 8_000));
}

function save(change: SceneChange): void {
  act(async (link, scene) => {
    await editScene(link, scene, change);
    hud.say(STRINGS.saved);
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
