/**
 * What the tests use of the official client. Its own declarations bring those of an old Node.js with them, which take the place
 * of Deno's in every file that is checked together with them.
 */
declare class Subhosting {
  static NotFoundError: new (...parameters: never[]) => Error;
  static BadRequestError: new (...parameters: never[]) => Error;
  organizations: {
    get(id: string): Call<{ id: string }>;
    projects: {
      create(id: string, body: { name?: string | null; description?: string | null }): Call<{ id: string }>;
      list(id: string, query: Record<string, unknown>): Call<unknown[]>;
    };
    databases: { create(id: string, body: { description?: string }): Call<{ id: string }> };
    domains: {
      create(id: string, body: { domain: string }): Call<Subhosting.Domain>;
      list(id: string): Call<Subhosting.Domain[]>;
    };
    analytics: { get(id: string, range: Subhosting.Range): Call<Subhosting.Analytics> };
  };
  projects: {
    get(id: string): Call<unknown>;
    update(id: string, body: { name: string; description: string }): Call<unknown>;
    delete(id: string): Call<void>;
    deployments: {
      create(id: string, body: Record<string, unknown>): Call<Subhosting.Deployment>;
      list(id: string, query: Record<string, unknown>): Call<Subhosting.Deployment[]>;
    };
    analytics: { get(id: string, range: Subhosting.Range): Call<Subhosting.Analytics> };
  };
  deployments: {
    get(id: string): Call<Subhosting.Deployment>;
    delete(id: string): Call<void>;
    redeploy(id: string, body: Record<string, unknown>): Call<Subhosting.Deployment>;
    buildLogs: { get(id: string): Call<{ level: string; message: string }[]> };
    appLogs: {
      get(id: string, query: Record<string, unknown>, options?: { headers: Record<string, string> }): Call<
        { message: string }[]
      >;
    };
  };
  domains: {
    get(id: string): Call<Subhosting.Domain>;
    verify(id: string): Call<void>;
    update(id: string, body: { deploymentId?: string }): Call<void>;
    delete(id: string): Call<void>;
  };
}

interface Call<Result> extends Promise<Result> {
  asResponse(): Promise<Response>;
  withResponse(): Promise<{ data: Result; response: Response }>;
}

declare namespace Subhosting {
  interface Deployment {
    id: string;
    status: "pending" | "success" | "failed";
    description?: string | null;
    domains?: string[] | null;
    databases: Record<string, string>;
  }
  interface Domain {
    id: string;
    isValidated: boolean;
    deploymentId?: string | null;
    dnsRecords: { type: string; name: string; content: string }[];
  }
  interface Analytics {
    fields: { name: string }[];
    values: unknown[][];
  }
  interface Range {
    since: string;
    until: string;
  }
}

export default Subhosting;
