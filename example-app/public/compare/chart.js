// The moving chart: a lane for each way, with time from left to right. The upper line shows when an event happens at the
// server, the lower line when this page receives it, and the line between them the delay. Ticks are requests.

const seconds = 12;
const lane = 68;
const gap = 12;
const axis = 22;

export class Chart {
  #canvas;
  #ways;
  #traces;
  #happened = new Map();

  constructor(canvas, ways) {
    this.#canvas = canvas;
    this.#ways = ways;
    this.clear();
  }

  clear() {
    this.#happened.clear();
    this.#traces = new Map(this.#ways.map(({ id }) => [id, { requests: [], arrivals: [] }]));
  }

  addRequest(way, at) {
    this.#traces.get(way).requests.push(at);
  }

  addArrival(way, { id, at }, arrived) {
    this.#happened.set(id, at);
    this.#traces.get(way).arrivals.push({ at, arrived });
  }

  draw(now) {
    const { width, height, context } = this.#prepare();
    const oldest = now - seconds * 1000;
    this.#forget(oldest - 5000);
    const x = (time) => ((time - oldest) / (seconds * 1000)) * (width - 8);
    const style = getComputedStyle(this.#canvas);
    const color = (name) => style.getPropertyValue(`--${name}`);

    context.clearRect(0, 0, width, height);
    context.font = `12px ${style.fontFamily}`;
    context.fillStyle = color('muted');
    context.strokeStyle = color('line');
    const step = width < 480 ? 4000 : 2000;
    for (let time = Math.ceil(oldest / step) * step; time < now; time += step) {
      strokeLine(context, x(time), 0, x(time), height - axis);
      const text = `${Math.round((now - time) / 1000)} s ago`;
      if (x(time) > 24 && x(time) < width - 40) context.fillText(text, x(time) - 18, height - 6);
    }

    this.#ways.forEach(({ id }, index) => {
      const top = index * (lane + gap) + 6;
      const bottom = top + lane - 14;
      const { requests, arrivals } = this.#traces.get(id);
      context.strokeStyle = color('field-line');
      strokeLine(context, 0, top, width, top);
      strokeLine(context, 0, bottom, width, bottom);

      context.lineWidth = 2;
      context.strokeStyle = color('muted');
      for (const time of requests) strokeLine(context, x(time), bottom, x(time), bottom + 9);

      context.strokeStyle = color(id);
      context.fillStyle = color('surface');
      for (const at of this.#happened.values()) dot(context, x(at), top);
      context.fillStyle = color(id);
      for (const { at, arrived } of arrivals) {
        strokeLine(context, x(at), top, x(arrived), bottom);
        dot(context, x(at), top);
        dot(context, x(arrived), bottom);
      }
      context.lineWidth = 1;
    });
  }

  #prepare() {
    const width = this.#canvas.clientWidth;
    const height = this.#ways.length * (lane + gap) + axis;
    const ratio = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
      this.#canvas.style.height = `${height}px`;
    }
    const context = this.#canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height, context };
  }

  #forget(before) {
    for (const [id, at] of this.#happened) if (at < before) this.#happened.delete(id);
    for (const trace of this.#traces.values()) {
      trace.requests = trace.requests.filter((at) => at >= before);
      trace.arrivals = trace.arrivals.filter(({ at }) => at >= before);
    }
  }
}

function strokeLine(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function dot(context, x, y) {
  context.beginPath();
  context.arc(x, y, 3.5, 0, 7);
  context.fill();
  context.stroke();
}
