// Small charts in SVG: one or two curves over time, drawn anew each second from plain arrays.
'use strict';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 400;
const HEIGHT = 120;
const LEFT = 44;
const BOTTOM = 18;
const TOP = 6;

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A number as short as it can be read: 1,234 or 12.3k or 4.5M. */
function short(number) {
  if (number >= 1e9) return `${(number / 1e9).toFixed(1)}G`;
  if (number >= 1e6) return `${(number / 1e6).toFixed(1)}M`;
  if (number >= 1e4) return `${(number / 1e3).toFixed(1)}k`;
  return Number.isInteger(number) ? number.toLocaleString('en') : number.toFixed(1);
}

/** The least of 1, 2, 5, 10, 20, ... that is not below. */
function ceiling(number) {
  let step = 1;
  for (;;) {
    for (const factor of [1, 2, 5]) if (step * factor >= number) return step * factor;
    step *= 10;
  }
}

/** A chart in a figure; `curves` names its curves, which have the colours of their places. */
class Chart {
  constructor(figure, curves) {
    this.figure = figure;
    this.curves = curves;
    this.output = figure.querySelector('output');
    this.svg = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', preserveAspectRatio: 'none' });
    this.lines = curves.map((_, at) => svg('path', { class: `curve curve-${at}`, 'vector-effect': 'non-scaling-stroke' }));
    this.area = svg('path', { class: 'area' });
    this.grid = svg('path', { class: 'grid', 'vector-effect': 'non-scaling-stroke' });
    this.cursor = svg('path', { class: 'cursor', 'vector-effect': 'non-scaling-stroke' });
    this.svg.append(this.grid, this.area, ...this.lines, this.cursor);
    // Text outside of what is stretched.
    const scale = (name) => Object.assign(document.createElement('span'), { className: `scale ${name}`, ariaHidden: 'true' });
    this.most = scale('most');
    this.least = scale('least');
    this.from = scale('from');
    this.to = scale('to');
    const plot = document.createElement('div');
    plot.className = 'plot';
    plot.append(this.svg, this.most, this.least, this.from, this.to);
    figure.append(plot);
    if (curves.length > 1) {
      const legend = document.createElement('p');
      legend.className = 'legend';
      curves.forEach((curve, at) => {
        const key = document.createElement('span');
        key.className = `key key-${at}`;
        legend.append(key, ` ${curve.label} `);
      });
      figure.append(legend);
    }
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', () => {
      this.pointed = undefined;
      this.draw();
    });
  }

  /** `hour` has an array for each curve, one value a second, the newest last, and `at`. */
  show(hour, seconds) {
    this.hour = hour;
    this.seconds = seconds;
    this.draw();
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    this.pointed = Math.min(1, Math.max(0, (x - LEFT) / (WIDTH - LEFT)));
    this.draw();
  }

  draw() {
    if (!this.hour) return;
    const { seconds } = this;
    const columns = Math.min(seconds, 300);
    const each = seconds / columns;
    const values = this.curves.map(({ of }) => columnsOf(this.hour[of] ?? [], columns, each));
    const highest = ceiling(Math.max(1, ...values.flat().filter((value) => value !== null)));
    const x = (column) => LEFT + ((column + 0.5) / columns) * (WIDTH - LEFT);
    const y = (value) => TOP + (1 - value / highest) * (HEIGHT - TOP - BOTTOM);
    values.forEach((curve, at) => this.lines[at].setAttribute('d', path(curve, x, y)));
    this.area.setAttribute('d', areaOf(values[0], x, y));
    const rules = [0, highest / 2, highest].map((value) => `M${LEFT} ${y(value)}H${WIDTH}`);
    this.grid.setAttribute('d', rules.join(''));
    this.most.textContent = short(highest);
    this.least.textContent = '0';
    this.from.textContent = `${Math.round(seconds / 60)} min ago`;
    this.to.textContent = 'now';
    this.tell(values, columns, each, x);
  }

  /** The values of now, or of the time that is pointed at. */
  tell(values, columns, each, x) {
    const last = (of) => (this.hour[of] ?? []).at(-1);
    let numbers = this.curves.map(({ of }) => last(of));
    let when = '';
    if (this.pointed === undefined) {
      this.cursor.removeAttribute('d');
    } else {
      const column = Math.min(columns - 1, Math.floor(this.pointed * columns));
      numbers = values.map((curve) => curve[column]);
      const at = new Date((this.hour.at - (columns - 1 - column) * each) * 1000);
      when = `${at.toLocaleTimeString()}: `;
      this.cursor.setAttribute('d', `M${x(column)} ${TOP}V${HEIGHT - BOTTOM}`);
    }
    const texts = this.curves.map(({ label }, at) => {
      const number = numbers[at] === undefined || numbers[at] === null ? '–' : short(numbers[at]);
      return this.curves.length > 1 ? `${number} ${label}` : number;
    });
    this.output.textContent = when + texts.join(', ');
    this.svg.setAttribute('aria-label', `${this.figure.querySelector('figcaption').textContent}, over ${Math.round(this.seconds / 60)} minutes`);
  }
}

/** The highest value of each column; null where nothing is known. The newest stands at the right. */
function columnsOf(values, columns, each) {
  const out = new Array(columns).fill(null);
  const start = columns * each - values.length;
  values.forEach((value, at) => {
    const column = Math.floor((at + start) / each);
    if (column >= 0 && column < columns) out[column] = Math.max(out[column] ?? 0, value);
  });
  return out;
}

function path(values, x, y) {
  let out = '';
  let drawing = false;
  values.forEach((value, column) => {
    if (value === null) {
      drawing = false;
      return;
    }
    out += `${drawing ? 'L' : 'M'}${x(column).toFixed(2)} ${y(value).toFixed(2)}`;
    drawing = true;
  });
  return out;
}

function areaOf(values, x, y) {
  const first = values.findIndex((value) => value !== null);
  if (first < 0) return '';
  const known = values.map((value) => value ?? 0);
  let out = `M${x(first).toFixed(2)} ${y(0)}`;
  for (let column = first; column < known.length; column += 1) {
    out += `L${x(column).toFixed(2)} ${y(known[column]).toFixed(2)}`;
  }
  return `${out}L${x(known.length - 1).toFixed(2)} ${y(0)}Z`;
}
