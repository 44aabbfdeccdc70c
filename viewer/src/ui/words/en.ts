/** English: the words that every other language must have too. */

import type { FailureCode } from "../../protocol/link";

export interface FailureWords {
  readonly title: string;
  readonly text: string;
  /** What the button does that tries again, when trying again can help. */
  readonly retry?: string;
}

const failures = {
  no_link: {
    title: "Open a scene by its link",
    text: "A link looks like /v/…#… and comes from whoever made the scene. “immersive create” prints one at its end.",
  },
  link_unknown: {
    title: "This link does not open anything",
    text: "It may be cut short: the part after # belongs to it. Ask for the whole link again.",
  },
  link_expired: {
    title: "This link has expired",
    text: "Whoever shared the scene can make a new one.",
  },
  link_revoked: {
    title: "This link was withdrawn",
    text: "Whoever shared the scene has closed this link. They can make a new one.",
  },
  link_used_up: {
    title: "This link was opened as often as it may be",
    text: "Whoever shared the scene can make a new one.",
  },
  link_password: {
    title: "This link needs a password",
    text: "Load the page again to type it.",
    retry: "Load again",
  },
  too_many_requests: {
    title: "Too many visitors at once",
    text: "The server asks to wait a little.",
    retry: "Try again",
  },
  unreachable: {
    title: "The server does not answer",
    text: "It may be switched off, or this device may be offline.",
    retry: "Try again",
  },
  server_busy: {
    title: "The server is not ready",
    text: "It answered, but it cannot show scenes just now.",
    retry: "Try again",
  },
  scene_gone: {
    title: "This scene no longer exists",
    text: "It was deleted on the server.",
  },
  protocol: {
    title: "The page and the server do not understand each other",
    text: "They are probably of different versions. Loading the page again often helps.",
    retry: "Load again",
  },
  webgl_missing: {
    title: "This browser cannot draw 3D scenes",
    text: "WebGL 2 is switched off or missing. Another browser, or switching on hardware acceleration, may help.",
  },
  webgl_lost: {
    title: "The graphics driver stopped",
    text: "That happens when memory runs out or the device slept for long.",
    retry: "Load again",
  },
  page_broken: {
    title: "The page failed",
    text: "This is a fault of ours. Loading the page again may help.",
    retry: "Load again",
  },
} satisfies Record<FailureCode, FailureWords>;

const strings = {
  product: "Immersive",
  untitled: "Untitled scene",
  canvas: "The scene. W, A, S, D or the arrow keys walk; drag to look around.",
  generated: "AI-generated",
  poorPicture: "Poor picture",
  poorPictureWhy: "Views that were kept for measuring come out badly. “About this scene” says why.",
  generatedWhy: "This place does not exist. It was made by a program from a description.",
  loading: "How much of the scene is here",
  opening: "Opening the link…",
  loadingRenderer: "Preparing to draw…",
  connecting: "Connecting…",
  firstSplats: "The first picture is on its way…",
  growthBegins: "Making the place",
  growth: (label: string, share: string, seconds: number | undefined) =>
    seconds === undefined ? `${label}…` : `${label}: ${share}, ${timeLeft(seconds)}`,
  growthStopped: "The making of this place has stopped",
  growingWhy: "This place is still being made. It becomes sharper by itself.",
  grown: "The place is finished",
  streaming: (share: string, size: string) => `Sharpening the scene: ${share}, ${size}`,
  whole: (size: string, splats: string) => `All ${splats} splats are here (${size})`,
  partly: (splats: string) => `${splats} splats are shown, as many as suit this device`,
  reconnecting: (seconds: number) => `Connection lost. Trying again in ${seconds} s…`,
  reconnected: "Connected again",
  broken: (count: number) => (count === 1 ? "One part of the scene arrived broken" : `${count} parts of the scene arrived broken`),
  hintKeys: "W A S D to walk · drag to look · ? for help",
  hintTouch: "Left thumb walks · right thumb looks",
  share: "Copy link",
  shared: "Link copied",
  shareFailed: "The browser does not allow copying. The link stands in the address bar.",
  passwordGate: {
    title: "This scene has a password",
    text: "Whoever sent the link knows it.",
    label: "Password",
    submit: "Open",
  },
  passwordWrong: "That was not it",
  codeGate: {
    title: "Type the code",
    text: "Six characters, from “Open on a headset” on the device that has the link.",
    label: "Code",
    submit: "Open",
  },
  codeWrong: "This code is unknown, used or older than ten minutes",
  codeTooOften: "Too many tries: wait a minute",
  pair: "Open on a headset",
  pairCode: (code: string, host: string) => `In the headset open ${host}/pair and type ${code} (10 minutes, once)`,
  remix: "Make a copy of your own",
  remixing: "Copying…",
  edit: "Edit this scene",
  editTitle: "Title",
  editNotes: "Notes for visitors",
  editSound: "Sound",
  soundAsIs: "As it is",
  soundOn: "On",
  soundOff: "Off",
  editVisibility: "How much links may tell",
  visibilities: {
    private: "Private: nothing without the link",
    unlisted: "Unlisted: messengers show title and picture",
    public: "Public: links may open without a secret",
  },
  save: "Save",
  saved: "Saved; visitors see it from their next visit on",
  beginHere: "Visitors begin here",
  actionFailed: (why: string) => `That did not work: ${why}`,
  report: "Report this place",
  reportWhat:
    "Tell whoever runs this server what is wrong. Unless they decide before, the place is hidden in 48 hours, with all its copies.",
  reportReason: "What is wrong",
  reportReasons: {
    intimate: "It shows someone intimately",
    privacy: "It shows someone or something private",
    copyright: "It is somebody’s work, used without leave",
    illegal: "It is against the law",
    other: "Something else",
  },
  reportStatement: "Say more",
  reportContact: "How to reach you (may stay empty)",
  reportSend: "Send the report",
  reported: (id: string) => `Thank you. Your report has the number ${id}; /api/reports/${id} says how it stands.`,
  notesTitle: "Notes",
  remixOf: "Copied from",
  info: "About this scene",
  help: "Controls",
  close: "Close",
  headUp: {
    canvas: "The scene, drawn by the server. The arrow keys turn and walk, Enter opens the menu.",
    opening: "Opening the link…",
    firstPicture: "The first picture is on its way…",
    making: "This place is still being made…",
    hint: "← → turn · ↑ ↓ walk · Enter: menu",
    menuName: "Menu",
    menu: { recentre: "Back to the start", help: "Help", leave: "Leave" },
    menuHint: "↑ ↓ choose · Enter · ← close",
    helpTitle: "How to move",
    help: ["← →  turn left and right", "↑ ↓  walk ahead and back", "Turn your head to look around", "Enter  opens the menu"],
    back: "Go on",
    left: "You have left",
    again: "Come back",
    tryAgain: "Try again",
    noTyping: "It cannot be typed here. Open the link on another device, or ask for one without a password.",
  },
  language: "Language",
  fullscreen: "Full screen",
  recentre: "Back to the start",
  walk: "Walk",
  fly: "Fly",
  walking: "Walking: gravity is on",
  flying: "Flying: Space rises, C sinks",
  recentred: "Back at the start",
  goingTo: (title: string) => `Going to ${title}…`,
  doorClosed: "This doorway does not open",
  mute: "Switch sound off",
  unmute: "Switch sound on",
  heard: "What is heard",
  others: "Others here",
  sayLabel: "Say something to those who are near",
  sayIt: "Say it",
  hideOthers: "Hide others",
  showOthers: "Show others",
  othersHidden: "Others are hidden; they still see you",
  othersShown: "Others are shown",
  saidBy: (name: string, text: string) => `${name}: ${text}`,
  saidByYou: (text: string) => `You: ${text}`,
  othersHere: (count: number) => (count === 1 ? "1 other visitor" : `${count} other visitors`),
  soundFailed: "This browser cannot play the sounds of this scene",
  rescued: "You had left the floor; you are back on it",
  enterVr: "Enter VR",
  enterAr: "Enter AR",
  exitXr: "Leave",
  xrBusy: "Starting…",
  xrFailed: (why: string) => `The headset did not start: ${why}`,
  xrWhy: "Headset",
  xrNone: "VR and AR need a headset’s browser, or a browser with a headset attached. Open this link there.",
  xrInsecure: "VR and AR work only over https. Open the https address of this server, or “localhost” through a USB cable.",
  verdicts: { good: "Good", usable: "Usable", poor: "Poor" },
  qualityTitle: "Picture quality",
  walkTitle: "Walking",
  noQuality: "Not measured: this scene was imported, so there is no truth to compare it with.",
  noWalk: "Not measured: this scene has no floor of its own. You can fly.",
  qualityFacts: (psnr: string, ssim: string, frames: number) =>
    `${psnr} dB PSNR, ${ssim} SSIM over ${frames} views that the splats never saw`,
  walkFacts: (area: string) => `${area} m² can be reached on foot`,
  falls: (count: number) => `${count} ${count === 1 ? "fall" : "falls"} through the floor in the test walks`,
  madeFrom: "Made from",
  licence: "Licence",
  noLicence: "None is named: ask before using it elsewhere",
  credit: "Credit",
  unsigned: "Unsigned: nothing on this page proves where the scene comes from. Exported files can be signed.",
  seed: "Seed",
  backend: "Backend",
  splats: "Splats",
  size: "Size",
  controls: {
    walk: "Walk",
    look: "Look around",
    run: "Run",
    flyToggle: "Walk or fly",
    riseSink: "Rise, sink (flying)",
    recentre: "Back to the start",
    say: "Say something to others here",
    info: "About this scene",
    help: "This help",
    fullscreen: "Full screen",
    figures: "Frame rate and splats",
  },
  controlKeys: {
    walk: ["W A S D", "↑ ↓"],
    look: ["Drag", "← →", "Page ↑↓"],
    run: ["Shift"],
    flyToggle: ["F"],
    riseSink: ["Space", "C"],
    recentre: ["R"],
    say: ["T"],
    info: ["I"],
    help: ["?"],
    fullscreen: ["Enter"],
    figures: ["G"],
  },
  controlsMore:
    "Click the scene to capture the mouse; Escape lets it go. On a phone the left thumb walks and the right one looks. A gamepad walks with its left stick. In VR the left stick walks, the right one turns, and the right stick pushed forward aims a teleport.",
  sbs: {
    hint: "[ ] eye distance · , . convergence · X swaps the eyes · Enter: full screen",
    ipd: (mm: number) => `Eye distance ${mm} mm`,
    convergence: (metres: string) => `On the display: ${metres} m away`,
    swapped: "Eyes swapped",
    head: "Turn with this phone",
    headOn: "Turning the phone turns you",
    noHead: "This phone does not tell how it is held",
  },
  quality: "Picture or fluency",
  qualities: { auto: "Automatic: as fluent as it must, as rich as it can", low: "Low", medium: "Medium", high: "High" },
  figures: {
    title: "Frame rate and splats",
    frame: (fps: string, ms: string, target: string) => `${fps} fps · ${ms} of ${target} ms`,
    resting: "Nothing moves: nothing is drawn",
    splats: (drawn: string, alive: string, size: string) => `${drawn} of ${alive} splats, ${size}`,
    resolution: (share: string) => `Resolution ${share}`,
    step: (dial: string, from: string, to: string, why: string) => `${dial} ${from} → ${to}: ${why}`,
    noStep: "Nothing had to give way",
    dials: { edges: "Rim", resolution: "Pixel ratio", splats: "Splats", maxStdDev: "Splat size", shDegree: "Colour" },
    whys: { slow: "too slow", room: "there is room", vain: "was in vain", back: "was too much" },
  },
} as const;

export const EN = { failures, strings };

/** What a language must say: the shape of the English table, whatever its words. */
export interface Words {
  readonly failures: Readonly<Record<FailureCode, FailureWords>>;
  readonly strings: Said<typeof strings>;
}

type Said<Table> = Table extends string
  ? string
  : Table extends (...facts: infer Facts) => string
    ? (...facts: Facts) => string
    : Table extends readonly string[]
      ? readonly string[]
      : { readonly [Name in keyof Table]: Said<Table[Name]> };

function timeLeft(seconds: number): string {
  if (seconds < 50) return `about ${Math.max(5, 5 * Math.round(seconds / 5))} s left`;
  return `about ${Math.max(1, Math.round(seconds / 60))} min left`;
}
