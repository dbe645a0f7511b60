import { cpus, totalmem } from 'node:os';

/** The machine and the versions that the numbers depend on, without host names and paths. */
export interface Environment {
  date: string;
  machine: string;
  node: string;
  versions: Record<string, string>;
  rounds: number;
}

export function describeEnvironment(versions: Record<string, string>, rounds: number): Environment {
  const model = (cpus()[0]?.model ?? 'unknown processor').replace(/\s+/g, ' ').trim();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${String(cpus().length)} cores (${model}), ${String(Math.round(totalmem() / 2 ** 30))} GiB`,
    node: `Node ${process.versions.node} on ${process.platform}`,
    versions,
    rounds,
  };
}
