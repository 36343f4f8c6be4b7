import { ApiError } from "../../api/errors.ts";
import { FLUSH, packet, type PacketReader } from "./pkt_line.ts";

const BRANCH_PREFIX = "refs/heads/";
/** An object that is not there: of a branch that is made or deleted. */
const NOTHING = /^0+$/;
const COMMAND = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (\S+)$/;
/** References changed at once. */
const MAX_COMMANDS = 1000;
/** Where the client's history was cut off (git-fetch(1), --depth). */
const MAX_SHALLOW = 10_000;
/** Of all commands: so many of the longest names that file systems have (git stores a branch as a file). */
const MAX_BYTES = 5 * 1024 ** 2;

/** What a push asks for, in front of its pack (gitprotocol-pack(5), "Reference Update Request"). */
export interface PushCommands {
  /** By branch, the commit that it is to have; `null` = it is to be deleted. What is asked of other references is not here. */
  branches: ReadonlyMap<string, string | null>;
  /** Whether progress can be told beside the answer. */
  hasSideBand: boolean;
  /** As they came. */
  bytes: Uint8Array<ArrayBuffer>[];
}

/**
 * Reads the commands of a push. There are none in the request by which a client tries its credentials.
 *
 * @throws {ApiError} `badRequest`: they are none, or too many.
 */
export async function readPushCommands(reader: PacketReader): Promise<PushCommands> {
  const branches = new Map<string, string | null>();
  const bytes: Uint8Array<ArrayBuffer>[] = [];
  let capabilities: string[] = [];
  let size = 0;
  try {
    for (let payload = await reader.next(); payload; payload = await reader.next()) {
      if (bytes.length >= MAX_COMMANDS + MAX_SHALLOW || branches.size >= MAX_COMMANDS) throw tooMany();
      size += payload.length;
      if (size > MAX_BYTES) throw tooMany();
      bytes.push(packet(payload));
      const [line = "", listed] = new TextDecoder().decode(payload).replace(/\n$/, "").split("\0");
      capabilities = listed?.trim().split(" ") ?? capabilities;
      const [, , to, name] = COMMAND.exec(line) ?? [];
      if (!name?.startsWith(BRANCH_PREFIX)) continue;
      branches.set(name.slice(BRANCH_PREFIX.length), NOTHING.test(to!) ? null : to!);
    }
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError("badRequest", `Invalid push: ${error.message}`);
    throw error;
  }
  bytes.push(FLUSH);
  return { branches, hasSideBand: capabilities.some((name) => /^side-band(?:-64k)?$/.test(name)), bytes };
}

function tooMany(): ApiError {
  return new ApiError("badRequest", `Cannot push more than ${MAX_COMMANDS} branches at once: push fewer`);
}
