/** The entry `restante-client/tabs`: one socket for the tabs of a browser. */
export { sharedTabs, type SharedTabsOptions } from '../tabs/shared-tabs.ts';
