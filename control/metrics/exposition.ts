import type { Histogram } from "./histogram.ts";

/** Labels of one sample. */
export type Labels = Readonly<Record<string, string>>;

/** One metric, with the samples of all its labels. */
export type Metric =
  | { name: string; type: "gauge" | "counter"; help: string; samples: readonly [Labels, number][] }
  | { name: string; type: "histogram"; help: string; samples: readonly [Labels, Histogram][] };

/** A gauge of one sample. */
export function gauge(name: string, help: string, value: number, labels: Labels = {}): Metric {
  return { name, type: "gauge", help, samples: [[labels, value]] };
}

/** A counter of one sample. */
export function counter(name: string, help: string, value: number): Metric {
  return { name, type: "counter", help, samples: [[{}, value]] };
}

/** The text format of Prometheus, version 0.0.4. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.map(metricText).join("");
}

function metricText(metric: Metric): string {
  const { name, type, help } = metric;
  const lines = metric.type === "histogram"
    ? metric.samples.flatMap(([labels, histogram]) => histogramLines(name, labels, histogram))
    : metric.samples.map(([labels, value]) => sampleLine(name, labels, value));
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function histogramLines(name: string, labels: Labels, histogram: Histogram): string[] {
  const { bounds, cumulative, sum } = histogram;
  return [
    ...cumulative.map((count, index) =>
      sampleLine(
        `${name}_bucket`,
        { ...labels, le: index < bounds.length ? String(bounds[index]) : "+Inf" },
        count,
      )
    ),
    sampleLine(`${name}_sum`, labels, sum),
    sampleLine(`${name}_count`, labels, cumulative.at(-1)!),
  ];
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** In a label value, the format escapes these three. */
function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => character === "\n" ? "\\n" : `\\${character}`);
}
