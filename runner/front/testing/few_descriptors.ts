/** A process that may have few descriptors: run under a limit, it says on which port it listens, and goes on until it is ended. */
import { makeCertificate } from "./certificates.ts";
import { TestFront } from "./test_front.ts";

const certificate = await makeCertificate("localhost");
const plain = new TestFront();
const secured = new TestFront({ certificates: [certificate] });
console.log(JSON.stringify({ plain: plain.port, secured: secured.port, chain: certificate.chain }));
