import type { Sandbox } from "../../isolate/mod.ts";
import type { ErrorCode } from "../../runner/mod.ts";
import type { IsolateCourse } from "./isolate_course.ts";
import type { Breach } from "./watch.ts";

/** One sandbox in the hands of the supervisor, blank or with a program. */
export interface LiveIsolate {
  /** Settles when it is started, or has failed to. */
  starting?: Promise<void>;
  /** Settles when its end has been dealt with. */
  gone?: Promise<void>;
  sandbox?: Sandbox;
  deploymentId?: string;
  /** Set as `deploymentId` is. */
  course?: IsolateCourse;
  /** What its program may use. */
  memoryMb?: number;
  /** Set when it serves. */
  socketPath?: string;
  /** What a lessee that found it broken answers for it. */
  brokenCode?: ErrorCode;
  /** The limit that it exceeded. */
  breach?: Breach;
}
