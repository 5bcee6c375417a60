export { default } from './bundle.js';
