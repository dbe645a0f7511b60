import { spawnSync } from 'node:child_process';
import { findFreePort } from '../../support/free-port.js';
import { RedisServer } from './redis-server.js';

/** A cluster of three masters on loopback, without replicas. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  static async start(): Promise<RedisCluster> {
    const nodes: RedisServer[] = [];
    for (let count = 0; count < 3; count++) {
      const bus = String(await findFreePort());
      const args = ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-node-timeout', '2000'];
      nodes.push(await RedisServer.start([...args, '--appendonly', 'yes', '--appendfsync', 'always']));
    }
    const cluster = new RedisCluster(nodes);
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const { status, stdout } = spawnSync(
      'redis-cli',
      ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes'],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`redis-cli --cluster create failed:\n${stdout}`);
    await cluster.#untilOk();
    return cluster;
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** Moves slots from one node to another while the cluster is in use. */
  async moveSlots(from: RedisServer, to: RedisServer, count: number): Promise<void> {
    const [source, target] = [from, to].map((node) => node.cli('CLUSTER', 'MYID'));
    const ends = ['--cluster-from', source!, '--cluster-to', target!, '--cluster-slots', String(count)];
    await from.run('--cluster', 'reshard', `127.0.0.1:${from.port}`, ...ends, '--cluster-yes');
    await this.#untilOk();
  }

  async kill(): Promise<void> {
    for (const node of this.nodes) await node.kill();
  }

  async begin(): Promise<void> {
    for (const node of this.nodes) await node.begin();
    await this.#untilOk();
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }

  /** The nodes need some seconds to find each other again. */
  async #untilOk(): Promise<void> {
    const deadline = performance.now() + 20_000;
    for (const node of this.nodes) {
      while (!node.cli('CLUSTER', 'INFO').includes('cluster_state:ok')) {
        if (performance.now() > deadline) throw new Error(node.cli('CLUSTER', 'INFO'));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}
