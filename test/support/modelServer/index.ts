export * from './identity.js';
export * from './protocol.js';
export * from './scripted.js';
export * from './server.js';
export * from './simulatedModel.js';
export * from './simulatedJudge.js';
export * from './simulatedProposer.js';
