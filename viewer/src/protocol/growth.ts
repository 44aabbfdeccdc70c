/** A scene that is still being made: how far it is, asked once a second, and opened when it shows something. */

import { Failure, openLink, proof, type Link, type OpenedLink } from "./link";

export interface GrowthState {
  /** What is being done, in words. */
  readonly label: string;
  /** Of that, 0..1. */
  readonly share: number;
  readonly seconds_left: number | null;
  /** Nobody works on it at the moment. */
  readonly is_stopped: boolean;
  readonly has_splats: boolean;
  /** Base64 of WebP pictures, along the way of the camera. */
  readonly frames: readonly string[];
}

/** Told how far the scene is; undefined: it is finished, or was found to be. */
export type TellGrowth = (state: GrowthState | undefined, title: string) => void;

interface Answer {
  readonly title: string;
  readonly growth: GrowthState | null;
  readonly version: string | null;
}

const ASK_MS = 1_000;
/** A server that restarts comes back within this many questions. */
const MOST_MISSED = 60;

/** Open a link as soon as there is something to see. Throws `Failure`. */
export async function openWhenGrown(link: Link, tell: TellGrowth, request: typeof fetch = fetch): Promise<OpenedLink> {
  for (;;) {
    const opened = await openLink(link, request);
    const { scene, ticket, bearer } = opened;
    if (scene !== null && ticket !== null) return { scene, ticket, bearer };
    const growth = new Growth(link.id, tell, request);
    while (!(await growth.ask())) await sleep(ASK_MS);
  }
}

/** Go on telling how far a scene is until it is finished. */
export async function watchGrowth(link: Link, tell: TellGrowth, request: typeof fetch = fetch): Promise<void> {
  const growth = new Growth(link.id, tell, request);
  while (!growth.isFinished) {
    await growth.ask();
    await sleep(ASK_MS);
  }
}

class Growth {
  isFinished = false;
  private missed = 0;

  constructor(
    private readonly linkId: string,
    private readonly tell: TellGrowth,
    private readonly request: typeof fetch,
  ) {}

  /** Ask and tell; returns whether there is something to see. */
  async ask(): Promise<boolean> {
    const answer = await this.answer();
    if (!answer) return false;
    this.isFinished = answer.growth === null;
    this.tell(answer.growth ?? undefined, answer.title);
    return answer.version !== null;
  }

  private async answer(): Promise<Answer | undefined> {
    const { request } = this; // `fetch` must not be called as a method
    let response: Response;
    try {
      response = await request(`/api/links/${encodeURIComponent(this.linkId)}/growth`, { headers: proof(this.linkId) });
    } catch (error) {
      return this.miss(new Failure("unreachable", String(error)));
    }
    if (response.status === 404) throw new Failure("scene_gone");
    if (response.status === 401 || response.status === 410) throw new Failure("link_revoked");
    if (!response.ok) return this.miss(new Failure("server_busy", `status ${response.status}`));
    this.missed = 0;
    return (await response.json()) as Answer;
  }

  private miss(failure: Failure): undefined {
    if (++this.missed > MOST_MISSED) throw failure;
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
