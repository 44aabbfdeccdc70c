/**
 * The page of head-up glasses: 600 x 600 pixels that add light, so black is clear; four arrows and Enter.
 *
 * Nothing is drawn here but pictures that the server made, so it needs no WebGL and none of the renderer.
 */

import "./headUp.css";
import { Failure, type Link, type SceneSummary } from "../protocol/link";
import { element } from "../ui/dom";
import { FAILURES, STRINGS } from "../ui/strings";
import { Motion, type Vec3 } from "./motion";
import { Pictures, SIDE_PX } from "./pictures";

const TICK_MS = 50;
/** At rest the last pose is told again, so that the picture is of where one is and not of where one was going. */
const SETTLE_MS = 250;
const HINT_MS = 6_000;
/** A head that moves less than this is held still. */
const LEAST_TURN = 1e-3;

const WORDS = STRINGS.headUp;
const ITEMS = ["recentre", "help", "leave"] as const;
type Item = (typeof ITEMS)[number];

export class HeadUp {
  private readonly screen: CanvasRenderingContext2D;
  private readonly root: HTMLElement;
  private readonly badge = element("p", { class: "badge", hidden: "" }, STRINGS.generated);
  private readonly name = element("h1", { class: "visually-hidden" }, STRINGS.product);
  private readonly line = element("p", { class: "line", role: "status" }, WORDS.opening);
  private readonly menu: HTMLElement;
  private readonly buttons: Readonly<Record<Item, HTMLButtonElement>>;
  private readonly card = element("section", { class: "card", role: "alertdialog", "aria-labelledby": "card-title", hidden: "" });
  private pictures: Pictures | undefined;
  private motion: Motion | undefined;
  private epoch = 0;
  private toldAt = 0;
  private isSettled = true;
  private lastEye: Vec3 = [0, 0, 0];
  private lastForward: Vec3 = [0, 0, -1];
  private tickedAt = performance.now();
  private hintTimer = 0;
  private head: { alpha: number; beta: number } | undefined;
  private lastHead: { alpha: number; beta: number } | undefined;
  /** What Enter does while a card is open. */
  private cardAction: (() => void) | undefined;
  private readonly wishes: string;

  constructor(
    private readonly link: Link,
    query: URLSearchParams,
  ) {
    const canvas = element("canvas", { width: String(SIDE_PX), height: String(SIDE_PX), role: "img", "aria-label": WORDS.canvas });
    const screen = canvas.getContext("2d", { alpha: false });
    if (!screen) throw new Error("the page must have a 2D canvas");
    this.screen = screen;
    const make = (item: Item) => {
      const made = element("button", { type: "button" }, WORDS.menu[item]);
      made.addEventListener("click", () => this.choose(item));
      return made;
    };
    this.buttons = { recentre: make("recentre"), help: make("help"), leave: make("leave") };
    this.menu = element("nav", { class: "menu", hidden: "", "aria-label": WORDS.menuName });
    this.menu.append(...ITEMS.map((item) => this.buttons[item]), element("p", {}, WORDS.menuHint));
    this.root = element("main", { class: "head-up" }, this.name, canvas, this.badge, this.line, this.menu, this.card);
    document.body.replaceChildren(this.root);
    document.documentElement.classList.add("is-head-up");
    // Displays that do not add light are asked for by ?additive=0.
    const additive = query.get("additive") === "0" ? "0" : "1";
    this.wishes = `size=${SIDE_PX}x${SIDE_PX}&additive=${additive}`;
    addEventListener("keydown", (event) => this.press(event));
    addEventListener("deviceorientation", (event) => this.turnHead(event));
    setInterval(() => this.tick(), TICK_MS);
    this.begin();
  }

  private begin(): void {
    this.hideCard();
    this.epoch = 0;
    this.motion = undefined;
    this.say(WORDS.opening, 0);
    this.pictures = new Pictures(this.link, this.wishes, {
      opened: (scene) => this.opened(scene),
      picture: (file, epoch, eye) => this.shown(file, epoch, eye),
      waiting: (seconds) => this.say(STRINGS.reconnecting(seconds), 0),
      making: () => this.say(WORDS.making, 0),
      failed: (failure) => this.fail(failure),
    });
    this.pictures.start();
  }

  private opened(scene: SceneSummary): void {
    document.title = this.name.textContent = scene.title || STRINGS.untitled;
    this.badge.hidden = !scene.is_generated;
    if (this.motion) return; // a visit that goes on
    const [x, y, z] = scene.spawn.position;
    this.motion = new Motion({ position: [x, y + scene.eye_height_m, z], yawDeg: scene.spawn.yaw_deg });
    this.lastEye = this.motion.eye;
    this.lastForward = this.motion.forward;
    this.say(WORDS.firstPicture, 0);
  }

  private async shown(file: Blob, epoch: number, eye: Vec3): Promise<void> {
    const picture = await createImageBitmap(file);
    this.screen.drawImage(picture, 0, 0, SIDE_PX, SIDE_PX);
    picture.close();
    this.motion?.correct(epoch, eye);
    if (this.root.dataset["pictures"] === undefined) this.say(WORDS.hint, HINT_MS);
    this.root.dataset["pictures"] = String(Number(this.root.dataset["pictures"] ?? 0) + 1);
  }

  private tick(): void {
    const now = performance.now();
    const seconds = Math.min(0.25, (now - this.tickedAt) / 1000);
    this.tickedAt = now;
    const motion = this.motion;
    if (!motion) return;
    motion.advance(seconds);
    const { eye, forward } = motion;
    const moved = distance(eye, this.lastEye) > 1e-3 || distance(forward, this.lastForward) > LEAST_TURN;
    if (!moved && (this.isSettled || now - this.toldAt < SETTLE_MS)) return;
    this.isSettled = !moved;
    this.lastEye = eye;
    this.lastForward = forward;
    this.toldAt = now;
    this.epoch += 1;
    motion.told(this.epoch);
    this.pictures?.show({ epoch: this.epoch, eye, forward });
  }

  private press(event: KeyboardEvent): void {
    const key = event.key;
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Escape"].includes(key)) return;
    event.preventDefault();
    if (!this.card.hidden) {
      if (key === "Enter" || key === "Escape") this.cardAction?.();
    } else if (!this.menu.hidden) this.pressInMenu(key);
    else if (key === "ArrowLeft") this.motion?.turn(1);
    else if (key === "ArrowRight") this.motion?.turn(-1);
    else if (key === "ArrowUp") this.motion?.walk(1);
    else if (key === "ArrowDown") this.motion?.walk(-1);
    else if (key === "Enter" && !event.repeat) this.openMenu();
  }

  private pressInMenu(key: string): void {
    const at = ITEMS.findIndex((item) => this.buttons[item] === document.activeElement);
    if (key === "Enter") this.choose(ITEMS[Math.max(at, 0)] ?? "recentre");
    else if (key === "ArrowUp" || key === "ArrowDown") {
      const next = (at + (key === "ArrowDown" ? 1 : ITEMS.length - 1)) % ITEMS.length;
      this.buttons[ITEMS[next] ?? "recentre"].focus();
    } else this.menu.hidden = true;
  }

  private openMenu(): void {
    this.menu.hidden = false;
    this.buttons.recentre.focus();
    void askForOrientation(); // where a browser wants a press first
  }

  private choose(item: Item): void {
    this.menu.hidden = true;
    if (item === "recentre") {
      this.motion?.recentre();
      this.head = this.lastHead;
      this.say(STRINGS.recentred, 2_000);
    } else if (item === "help") {
      this.showCard(WORDS.helpTitle, WORDS.help, WORDS.back, () => this.hideCard());
    } else {
      this.pictures?.dispose();
      this.motion = undefined;
      this.screen.clearRect(0, 0, SIDE_PX, SIDE_PX);
      this.showCard(WORDS.left, [], WORDS.again, () => this.begin());
    }
  }

  private turnHead(event: DeviceOrientationEvent): void {
    if (event.alpha === null || event.beta === null) return;
    this.lastHead = { alpha: event.alpha, beta: event.beta };
    // However it is worn: as it first was, one looks straight ahead.
    this.head ??= this.lastHead;
    const yaw = ((event.alpha - this.head.alpha + 540) % 360) - 180;
    this.motion?.look(yaw, event.beta - this.head.beta);
  }

  private fail(failure: Failure): void {
    const words = FAILURES[failure.code];
    this.motion = undefined;
    this.screen.clearRect(0, 0, SIDE_PX, SIDE_PX);
    const text = failure.code === "link_password" ? [WORDS.noTyping] : [words.text];
    this.showCard(words.title, text, WORDS.tryAgain, () => this.begin());
  }

  private showCard(title: string, lines: readonly string[], action: string, act: () => void): void {
    this.line.textContent = "";
    const press = element("button", { type: "button" }, action);
    press.addEventListener("click", act);
    this.card.replaceChildren(element("h2", { id: "card-title" }, title), ...lines.map((line) => element("p", {}, line)), press);
    this.card.hidden = false;
    this.cardAction = act;
    press.focus();
  }

  private hideCard(): void {
    this.card.hidden = true;
    this.cardAction = undefined;
  }

  private say(words: string, forMs: number): void {
    clearTimeout(this.hintTimer);
    this.line.textContent = words;
    if (forMs > 0) this.hintTimer = window.setTimeout(() => (this.line.textContent = ""), forMs);
  }
}

function distance(a: Vec3, b: Vec3): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

async function askForOrientation(): Promise<void> {
  const kind = globalThis.DeviceOrientationEvent as unknown as { requestPermission?: () => Promise<string> } | undefined;
  await kind?.requestPermission?.().catch(() => "denied");
}
