/** Building page elements without a framework. Text is always set as text, never as HTML. */

type Child = Node | string | undefined;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** Line icons on a 24 px grid, one path each. */
const ICONS = {
  share: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-6-.4l-3 3A4 4 0 0 0 10.7 18.3l1-1",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 8v.01",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9.5 9.500a2.5 2.5 0 1 1 3.5 2.300c-.7.3-1 .800-1 1.600M12 16.500v.01",
  fullscreen: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  close: "M6 6l12 12M18 6L6 18",
  home: "M4 11l8-7 8 7M6 10v9h12v-9",
  walk: "M13 4.500v.01M10 21l2-6-2.5-3 1-5 3 1.5 2.5 2M12 15l3 2 1 4M7.5 11.500l2.5-3",
  fly: "M3 12l18-8-6 17-3.5-6.500L3 12ZM11.5 14.500L21 4",
  sound: "M4 9.500h3.500L12 5.500v13l-4.500-4H4v-5ZM15.5 9a4 4 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11",
  muted: "M4 9.500h3.500L12 5.500v13l-4.500-4H4v-5ZM16 9.500l5 5M21 9.500l-5 5",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM3 19a6 6 0 0 1 12 0M16 5.500a3 3 0 0 1 0 5.500M17.5 13.500A6 6 0 0 1 21 19",
  peopleHidden: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM3 19a6 6 0 0 1 12 0M16 7l5 5M21 7l-5 5",
  copy: "M9 9h10v10H9ZM15 9V5H5v10h4",
  edit: "M4 20l1-4L16 5l3 3L8 19l-4 1ZM14 7l3 3",
  shield: "M12 3l7 3v5c0 4.500-3 8-7 10-4-2-7-5.500-7-10V6l7-3ZM9.5 9.500l5 5M14.5 9.500l-5 5",
  headset: "M4 8h16a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-4.500l-2-2.500h-3L8.5 17H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1ZM8 12v.01M16 12v.01",
} as const;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The product's mark: three Gaussians. */
export function mark(): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "4 6 24 20");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  for (const [cx, cy, rx, ry, turn, fill] of [
    ["12.5", "13", "7", "4.6", "-28", "#ffc978"],
    ["20", "18.5", "7", "4.4", "32", "#7cc4ff"],
    ["13", "22", "4", "2.6", "-12", "#d7a6ff"],
  ] as const) {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("transform", `rotate(${turn} ${cx} ${cy})`);
    const ellipse = document.createElementNS(SVG, "ellipse");
    for (const [name, value] of Object.entries({ cx, cy, rx, ry, fill })) ellipse.setAttribute(name, value);
    group.append(ellipse);
    svg.append(group);
  }
  return svg;
}

export interface ButtonOptions {
  readonly label: string;
  readonly icon?: IconName;
  /** Whether the label is written out beside the icon. */
  readonly showsLabel?: boolean;
  readonly className?: string;
  readonly press: () => void;
}

export function button(options: ButtonOptions): HTMLButtonElement {
  const made = element("button", {
    type: "button",
    class: `button ${options.className ?? ""}`.trim(),
    "aria-label": options.label,
    title: options.label,
  });
  if (options.icon) made.append(icon(options.icon));
  if (options.showsLabel || !options.icon) {
    made.append(element("span", options.icon ? { class: "label-wide" } : {}, options.label));
  }
  made.addEventListener("click", options.press);
  return made;
}
