export const minutes = (seconds) => `${Math.round(seconds / 60)} minutes`;
