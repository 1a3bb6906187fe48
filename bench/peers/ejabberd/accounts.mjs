/**
 * The accounts of ejabberd, as a program that it asks (`auth_method: external`): every name and password is right. Its
 * own database takes longer for a registration than a load lasts. A question is its length in two bytes and a text; the
 * answer is the length 2, and 1 for yes.
 */
const yes = Buffer.from([0, 2, 0, 1]);
let rest = Buffer.alloc(0);
process.stdin.on('data', (bytes) => {
  rest = Buffer.concat([rest, bytes]);
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
    rest = rest.subarray(2 + rest.readUInt16BE(0));
    process.stdout.write(yes);
  }
});
