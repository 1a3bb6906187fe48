export { nowSeconds, signClaims } from '../../tools/harness/sign-token.ts';
